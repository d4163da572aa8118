"""Secrets at rest: sealed with Fernet under a key that never is in the database."""

from datetime import datetime, timedelta

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from shared.errors import LowtideError
from shared.sealing import LinkSeal, keys_of


class Unreadable(LowtideError):  # noqa: N818 - a state, not a mistake
    """A stored secret was sealed under a key that this process does not have."""


class Vault:
    """Seals and opens secrets. `keys` are Fernet keys, comma separated: the first one seals."""

    def __init__(self, keys: SecretStr) -> None:
        self._fernet = MultiFernet([Fernet(each) for each in keys_of(keys)])
        self.links = LinkSeal(keys)
        """Opens links that other services have sealed under the same keys."""

    def seal(self, secret: SecretStr) -> str:
        """Return a secret in the form that may be stored."""
        return self._fernet.encrypt(secret.get_secret_value().encode()).decode()

    def stamp(self, text: str, now: datetime) -> str:
        """Return a text as a token that nobody else can make, read or date; fit for a URL."""
        return self._fernet.encrypt_at_time(text.encode(), int(now.timestamp())).decode()

    def stamped(self, token: str, lasts: timedelta, now: datetime) -> str | None:
        """Return the text of a token of ours; None for any other, and for one that has lapsed."""
        seconds = int(lasts.total_seconds())
        try:
            return self._fernet.decrypt_at_time(token, seconds, int(now.timestamp())).decode()
        except (InvalidToken, ValueError):
            return None

    def open(self, sealed: str) -> SecretStr:
        """Return a stored secret. Raises Unreadable without the key it was sealed with."""
        try:
            return SecretStr(self._fernet.decrypt(sealed.encode()).decode())
        except InvalidToken:
            raise Unreadable(
                "a stored secret cannot be opened: LOWTIDE_SECRET_KEY is not the one it was "
                "sealed with"
            ) from None
