"""What `make` gives to all that it starts."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.local.instance import REPOSITORY


def test_what_is_compiled_is_kept_though_bytecode_beside_the_sources_is_forbidden(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    given = subprocess.run(
        ["make", "--silent", "--eval", "given: ; env", "given"],  # noqa: S607 - our own Makefile
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    names = {line.partition("=")[0] for line in given.splitlines()}
    assert "PYTHONPYCACHEPREFIX" in names
    assert "PYTHONDONTWRITEBYTECODE" not in names


def test_in_a_folder_with_a_space_nothing_is_done_to_the_one_beside_it(tmp_path: Path) -> None:
    checkout, beside = tmp_path / "a b", tmp_path / "a"
    for made in (checkout / "deploy" / "local", beside / "kept"):
        made.mkdir(parents=True)
    shutil.copy(REPOSITORY / "Makefile", checkout)
    for lock in ("requirements.lock", "deploy/local/bootstrap.lock"):
        (checkout / lock).touch()
    environment = {"PATH": "/usr/bin:/bin"}
    run = subprocess.run(
        ["make", "run", "PYTHON=true"],  # noqa: S607 - our own Makefile
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert (beside / "kept").is_dir()
    assert run.returncode != 0
    assert "spaces" in run.stderr
