import os
import shutil
from pathlib import Path

import pytest

from deploy.local.account import AccountError, server_account

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes the user")


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o700)
    return folder / "postgres"


def test_an_ordinary_user_runs_the_server_itself(
    monkeypatch: pytest.MonkeyPatch, closed: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    found = server_account(closed)

    assert found.start_as is None
    assert found.prefix == ()


@as_root
def test_root_runs_it_as_nobody() -> None:
    found = server_account(Path("/usr/bin/env"))

    assert found.start_as == found.owner
    assert found.owner is not None
    assert 0 not in found.owner


@as_root
def test_below_a_closed_folder_it_gets_the_capability_to_pass(closed: Path) -> None:
    found = server_account(closed)

    assert found.owner is not None
    assert found.start_as is None
    assert "--ambient-caps=+dac_override" in found.prefix


@as_root
def test_without_that_capability_the_message_says_which_folder_to_open(
    monkeypatch: pytest.MonkeyPatch, closed: Path
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)

    with pytest.raises(AccountError, match=f"cannot enter .*{closed.parent.parent.name}"):
        server_account(closed)
