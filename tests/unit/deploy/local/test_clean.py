"""`make down` and `make clean` say what is so."""

import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.local.__main__ import clean
from deploy.local.instance import REPOSITORY, Instance


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOWTIDE_HOME", str(tmp_path))
    # A person asks for it, and not the make that runs the tests.
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_data_of_all_stacks_but_those_of_tests_is_deleted(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("run", "replay", "test-1"):
        Instance.named(name).create()
    assert clean() == 0
    assert [folder.name for folder in (home / "instances").iterdir()] == ["test-1"]
    assert capsys.readouterr().out == "Deleted the data of replay, run.\n"
    assert clean() == 0
    assert capsys.readouterr().out == "There is no data.\n"


def test_what_could_not_be_deleted_is_named(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("run", "replay"):
        Instance.named(name).create()
    rmtree = shutil.rmtree

    def all_but_run(folder: Path, *, ignore_errors: bool) -> None:
        if folder.name != "run":
            rmtree(folder, ignore_errors=ignore_errors)

    monkeypatch.setattr(shutil, "rmtree", all_but_run)
    assert clean() == 1
    told = capsys.readouterr()
    assert told.out == "Deleted the data of replay.\n"
    assert str(home / "instances" / "run") in told.err


@pytest.mark.parametrize("target", ["down", "clean"])
def test_without_any_stack_make_needs_no_environment(home: Path, target: str) -> None:
    done = made(target)
    assert done.returncode == 0
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("target", ["down", "clean"])
def test_a_stack_is_ended_although_the_environment_is_gone(home: Path, target: str) -> None:
    """It is made anew; here it cannot be, and that is said instead of "nothing"."""
    Instance.named("run").create()
    done = made(target, "PYTHON=there-is-none")
    assert done.returncode != 0
    assert done.stdout == ""
    assert "needs Python 3.11" in done.stderr
    assert (home / "instances" / "run").exists()


def made(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own Makefile
        ["make", *arguments],  # noqa: S607
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
