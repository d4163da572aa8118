"""One whole stack for all faults: every role, a broker and a database server of its own."""

import os
import secrets
from collections.abc import AsyncIterator
from functools import cached_property
from pathlib import Path

import pytest
import pytest_asyncio
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.local.instance import Instance
from deploy.local.ownership import bring_down
from deploy.local.ports import LOOPBACK
from deploy.local.replays.group import Group
from deploy.local.replays.lowtide import Lowtide
from deploy.local.stack import LocalStack
from shared.http.auth import Scope
from tests.faults.shop import Shop


class FaultSettings(BaseSettings):
    """Environment of a run; `make faults` has the long form."""

    model_config = SettingsConfigDict(env_prefix="LOWTIDE_", extra="ignore")

    fault_seconds: float = 6
    """How long broker and database are away."""
    fault_seed: int | None = None
    """Of the goods, the order in which processes are killed, and all else that befalls."""

    @property
    def goods_seed(self) -> int:
        """Of what a whole stack trades: always the same goods, unless a seed is given."""
        return 20_111_209 if self.fault_seed is None else self.fault_seed

    @cached_property
    def schedule_seed(self) -> int:
        """Of what befalls the ways of the ledger: another one in each run."""
        return secrets.randbits(32) if self.fault_seed is None else self.fault_seed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # The shop lasts until the run ends: what goes without it is not slowed down by it.
    items.sort(key=_has_shop)


def _has_shop(item: pytest.Item) -> bool:
    is_ours = item.path.parent == Path(__file__).parent
    return is_ours and isinstance(item, pytest.Function) and "shop" in item.fixturenames


@pytest.fixture(scope="session")
def settings() -> FaultSettings:
    return FaultSettings()


@pytest_asyncio.fixture(scope="session")
async def shop(
    settings: FaultSettings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Shop]:
    instance = Instance.named(f"faults-{os.getpid()}")
    folder = tmp_path_factory.mktemp("faults")
    group = Group(folder / "group.jsonl")
    try:
        async with (
            group.listening() as url,
            LocalStack(instance.name) as stack,
            Lowtide(_urls(stack), stack.token(*Scope)) as lowtide,
        ):
            shop = Shop(stack, lowtide, group, settings.goods_seed, folder)
            await shop.set_up(url)
            yield shop
            await shop.close()
    finally:
        bring_down(instance)
        instance.delete()


def _urls(stack: LocalStack) -> dict[str, str]:
    urls = {name: stack.url(name) for name in ("ingest", "ledger", "alerting", "notifier")}
    port = stack.surroundings.ports["ingest-consume"]
    return urls | {"ingest-consume": f"http://{LOOPBACK}:{port}"}
