"""What `make` gives to all that it starts."""

import subprocess

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
