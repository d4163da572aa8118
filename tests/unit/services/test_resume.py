"""What an operator reads who lets partitions go on while the database is away."""

import sys
from pkgutil import resolve_name

import pytest


@pytest.mark.parametrize("service", ["alerting", "ledger", "notifier"])
def test_a_database_that_is_away_is_told_in_a_line(
    service: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOWTIDE_DATABASE_URL", "postgresql://nobody:none@127.0.0.1:1/nothing")
    monkeypatch.setattr(sys, "argv", [f"services.{service}", "resume"])
    with pytest.raises(SystemExit) as ended:
        resolve_name(f"services.{service}.__main__:main")()
    assert ended.value.code == 1
    out, told = capsys.readouterr()
    assert out == ""
    assert told.startswith("the database cannot be reached; look at LOWTIDE_DATABASE_URL")
    assert told.count("\n") == 1
