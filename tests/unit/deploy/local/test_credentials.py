import stat
from pathlib import Path

from deploy.local.credentials import FILE, Credentials


def test_credentials_are_for_the_owner_only(tmp_path: Path) -> None:
    Credentials.of(tmp_path, ("ledger",))

    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_credentials_are_the_same_at_the_next_start(tmp_path: Path) -> None:
    first = Credentials.of(tmp_path, ("ingest", "ledger"))

    assert Credentials.of(tmp_path, ("ingest", "ledger")) == first


def test_a_new_service_gets_a_password_and_the_others_keep_theirs(tmp_path: Path) -> None:
    before = Credentials.of(tmp_path, ("ledger",))
    after = Credentials.of(tmp_path, ("ledger", "notifier"))

    assert after.service_passwords["ledger"] == before.service_passwords["ledger"]
    assert after.secret_key == before.secret_key
    assert after.service_passwords["notifier"] not in {"", after.service_passwords["ledger"]}
