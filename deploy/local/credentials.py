"""Passwords and keys of one instance, generated once and readable by their owner only."""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from cryptography.fernet import Fernet

FILE = "credentials.json"


@dataclass(frozen=True)
class Credentials:
    """What the instance's servers and services identify themselves with."""

    administrator_password: str
    """Of PostgreSQL's superuser."""
    service_passwords: dict[str, str]
    """Of each service's database user."""
    secret_key: str
    """The Fernet key for secrets at rest."""
    console_secret: str
    """What the console signs links and sessions with."""

    @classmethod
    def of(cls, run_folder: Path, services: tuple[str, ...]) -> "Credentials":
        """Return the instance's credentials, generating what is missing."""
        path = run_folder / FILE
        known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        passwords = known.get("service_passwords", {})
        credentials = cls(
            known.get("administrator_password") or secrets.token_urlsafe(24),
            {name: passwords.get(name) or secrets.token_urlsafe(24) for name in services},
            known.get("secret_key") or Fernet.generate_key().decode(),
            known.get("console_secret") or secrets.token_urlsafe(48),
        )
        if asdict(credentials) != known:
            _write_private(path, json.dumps(asdict(credentials), indent=2))
        return credentials


def _write_private(path: Path, text: str) -> None:
    """Write a file that never existed with wider rights, all of it or nothing."""
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)
