"""What becomes of secrets that are left out when a destination is put, and how they are shown."""

from urllib.parse import urlsplit

from pydantic import SecretStr

from services.notifier.api.desk import refusal_of
from services.notifier.destinations.exchange import MASK
from services.notifier.domain.addresses import LOST, Address, DestinationKind, Email
from shared.http.problems import Problem

UNREADABLE = "unreadable"
"""Shown for a stored secret that this process has not the key for."""


class Kept:
    """The stored secrets, for those that are left out.

    `server` is where they would go. Who may change that does not therefore know them, and is not
    to learn them by it.
    """

    def __init__(self, former: Address | None, kind: DestinationKind, server: str) -> None:
        self._former = former if former is not None and former.kind is kind else None
        self._kind = kind
        self._moved = self._former is not None and _server(self._former) != server

    def needed(self, name: str, given: SecretStr | None) -> SecretStr:
        """Return a secret that it cannot do without. Raises Problem (422)."""
        secret = given or self.secret(name)
        if secret is None:
            raise self._wanted(name, "a new destination needs its own")
        return secret

    def secret(self, name: str) -> SecretStr | None:
        """Return a stored secret, None where there is none. Raises Problem (422)."""
        secret = None if self._former is None else self._former.secrets.get(name)
        if secret == LOST:
            raise self._wanted(name, "the stored one cannot be read: send it again")
        if secret is not None and self._moved:
            raise self._wanted(name, "another server needs its own: send it again")
        return secret

    def _wanted(self, name: str, why: str) -> Problem:
        return refusal_of(f"{self._kind}.{name}", "missing", why)


def _server(address: Address) -> str:
    if isinstance(address, Email):
        return f"{address.host}:{address.port}"
    return origin(address.url)


def origin(url: str) -> str:
    """Return scheme, host and port of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def masked(secret: SecretStr) -> str:
    """Return enough of a long key to tell bots apart, and far too little to use one."""
    if secret == LOST:
        return UNREADABLE
    value = secret.get_secret_value()
    return MASK + (value[-4:] if len(value) >= 32 else "")
