from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest

from deploy.local.addresses import Keyring, Surroundings
from deploy.local.credentials import Credentials
from deploy.local.instance import Instance
from deploy.local.ports import LOOPBACK
from deploy.local.processes import DEMONSTRATION, ROLES, Process
from shared.clock import WallClock
from shared.http.auth import Scope


class NoServers:
    bootstrap = f"{LOOPBACK}:1"

    def administrator_url(self, database: str = "postgres") -> str:
        return f"postgresql://administrator@{LOOPBACK}/{database}"

    def service_url(self, service: str, database: str) -> str:
        return f"postgresql://{service}@{LOOPBACK}/{database}"


@pytest.fixture
def surroundings(tmp_path: Path) -> Surroundings:
    instance = Instance("test", tmp_path)
    instance.create()
    return Surroundings(
        instance=instance,
        servers=NoServers(),
        keyring=Keyring(instance),
        database="lowtide",
        topic_prefix="",
        credentials=Credentials.of(instance.run_folder, ()),
        ports={process.name: process.port for process in (*ROLES, DEMONSTRATION)},
        log_format="json",
    )


def ends_at(token: str) -> datetime:
    claims = jwt.decode(token, options={"verify_signature": False})
    return datetime.fromtimestamp(claims["exp"], UTC)


@pytest.mark.parametrize("process", [*(role for role in ROLES if role.scopes), DEMONSTRATION])
def test_no_process_outlives_its_token(surroundings: Surroundings, process: Process) -> None:
    token = surroundings.environment(process, {})["LOWTIDE_SERVICE_TOKEN"]
    assert ends_at(token) > WallClock().now() + timedelta(days=3_000)


def test_a_persons_token_ends(surroundings: Surroundings) -> None:
    token = surroundings.keyring.token("local", (Scope.STOCK_READ,))
    assert ends_at(token) < WallClock().now() + timedelta(days=31)
