"""pytest fixtures over `shared.testing.stack`; `tests/conftest.py` makes them known."""

from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from shared.testing.stack import (
    Database,
    Stack,
    fresh_database,
    fresh_topics,
    migrated_template,
    running_stack,
    shared_stack,
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Let the processes of a run share one broker and one database server."""
    if ask_for_servers(config.args, config.invocation_params.dir, config.rootpath):
        shared = ExitStack()
        shared.enter_context(shared_stack())
        config.add_cleanup(shared.close)


def ask_for_servers(chosen: Iterable[str], folder: Path, root: Path) -> bool:
    """Return whether the tests that were chosen, seen from a folder, may ask for servers.

    Unit tests have none; one that asks all the same gets those of its process (`stack`).
    """
    paths = (Path(folder, each.partition("::")[0]).resolve() for each in chosen)
    return not all(each.is_relative_to(root / "tests" / "unit") for each in paths)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """Yield a running broker and database server, started by the first test that asks."""
    with running_stack(in_memory=True) as running:
        yield running


@pytest_asyncio.fixture(scope="session")
async def template(stack: Stack) -> str:
    """Return the name of the migrated database that each test's own is copied from."""
    return await migrated_template(stack)


@pytest_asyncio.fixture
async def database(stack: Stack, template: str) -> AsyncIterator[Database]:
    """Yield a migrated, empty database of the test's own."""
    async with fresh_database(stack, template) as fresh:
        yield fresh


@pytest_asyncio.fixture
async def topics(stack: Stack) -> AsyncIterator[str]:
    """Yield a prefix of the test's own under which every declared topic exists."""
    async with fresh_topics(stack) as prefix:
        yield prefix
