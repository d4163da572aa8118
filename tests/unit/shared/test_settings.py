import subprocess
import sys

import pytest
from cryptography.fernet import Fernet
from pydantic import ValidationError

from deploy.local.instance import REPOSITORY, home
from services.console.settings import ConsoleSettings
from shared.settings import Settings

CACHE = home() / "cache" / "pycache"
TOKEN = "bearer-of-great-power"
FERNET_KEY = Fernet.generate_key().decode()
MAKE_A_KEY = (
    'make one with: python -c "from cryptography.fernet import Fernet; '
    'print(Fernet.generate_key().decode())"'
)


def test_an_empty_secret_key_is_refused_since_anybody_knows_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOWTIDE_SECRET_KEY", "")
    with pytest.raises(ValidationError, match="secret_key"):
        Settings()


@pytest.mark.parametrize("secret", ["", "x" * 31])
def test_a_short_console_secret_is_refused_since_sessions_could_be_forged(
    monkeypatch: pytest.MonkeyPatch, secret: str
) -> None:
    monkeypatch.setenv("LOWTIDE_CONSOLE_SECRET", secret)
    with pytest.raises(ValidationError, match="console_secret"):
        ConsoleSettings()


def test_a_wrong_setting_is_told_without_the_values_of_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWTIDE_SERVICE_TOKEN", TOKEN)
    monkeypatch.delenv("LOWTIDE_CONSOLE_SECRET", raising=False)
    with pytest.raises(ValidationError) as caught:
        ConsoleSettings()
    assert TOKEN[:6] not in str(caught.value)


@pytest.mark.parametrize(
    ("service", "given", "told"),
    [
        ("console", {}, "LOWTIDE_CONSOLE_SECRET: is not set\n"),
        (
            "console",
            {"LOWTIDE_CONSOLE_SECRET": "short"},
            "LOWTIDE_CONSOLE_SECRET: needs 32 characters or more\n",
        ),
        *(
            (
                service,
                {"LOWTIDE_LOG_FORMAT": "xml"},
                "LOWTIDE_LOG_FORMAT: Input should be 'json' or 'plain'\n",
            )
            for service in ("ingest", "ledger", "alerting")
        ),
        (
            "notifier",
            {"LOWTIDE_LOG_FORMAT": "xml", "LOWTIDE_SECRET_KEY": f"{FERNET_KEY}, {TOKEN}"},
            (
                f"LOWTIDE_SECRET_KEY: is not a Fernet key, or several with commas; {MAKE_A_KEY}\n"
                "LOWTIDE_LOG_FORMAT: Input should be 'json' or 'plain'\n"
            ),
        ),
        ("notifier", {}, f"LOWTIDE_SECRET_KEY: is not set; {MAKE_A_KEY}\n"),
        *(
            (
                service,
                {"LOWTIDE_SECRET_KEY": f"{FERNET_KEY},"},
                "LOWTIDE_SECRET_KEY: has an empty key among those that commas separate\n",
            )
            for service in ("alerting", "notifier")
        ),
    ],
)
def test_a_process_with_a_wrong_variable_names_it_and_ends(
    service: str, given: dict[str, str], told: str
) -> None:
    done = subprocess.run(  # noqa: S603 - our own services
        [sys.executable, "-m", f"services.{service}", "serve"],
        cwd=REPOSITORY,
        env={"LOWTIDE_SERVICE_TOKEN": TOKEN, "PYTHONPYCACHEPREFIX": str(CACHE), **given},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == told
    assert done.stdout == ""
