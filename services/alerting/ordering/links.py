"""Links by which a supplier sees and confirms one order without signing in."""

import hashlib
import hmac
from datetime import datetime, timedelta
from uuid import UUID

import jwt
from pydantic import SecretStr

from shared.sealing import keys_of

LIFETIME = timedelta(days=30)
"""Longer than most lead times; whoever has ordered can ask for a new one at any time."""

_AUDIENCE = "lowtide-order"
_ALGORITHM = "HS256"


class Forged(Exception):  # noqa: N818 - what the link is
    """The link was not made here, or not for an order."""


class Expired(Exception):  # noqa: N818 - what the link is
    """The link was good once."""


class OrderLinks:
    """Makes links and reads them; each is for one order and expires.

    Signed with a key of their own that is drawn from the service's, so that nothing else that is
    signed here passes for a link. Of several keys the first one signs, and all are read. Without
    any there are no links.
    """

    def __init__(self, secret: SecretStr | None, base_url: str) -> None:
        keys = [] if secret is None else keys_of(secret)
        self._keys = [hmac.digest(key.encode(), _AUDIENCE.encode(), hashlib.sha256) for key in keys]
        self._base_url = base_url.rstrip("/")

    def link(self, order_id: UUID, now: datetime) -> str | None:
        """Return a new link to an order, None without a key."""
        if not self._keys:
            return None
        claims = {"sub": str(order_id), "aud": _AUDIENCE, "exp": now + LIFETIME}
        token = jwt.encode(claims, self._keys[0], algorithm=_ALGORITHM)
        return f"{self._base_url}/supplier/order?token={token}"

    def read(self, token: str, now: datetime) -> UUID:
        """Return the order that a link is for. Raises Forged or Expired."""
        for key in self._keys:
            try:
                claims = jwt.decode(
                    token,
                    key,
                    algorithms=[_ALGORITHM],
                    audience=_AUDIENCE,
                    # By the clock that is handed in, below.
                    options={"require": ["sub", "exp", "aud"], "verify_exp": False},
                )
                order_id, ends = UUID(claims["sub"]), float(claims["exp"])
            except (jwt.InvalidTokenError, ValueError, TypeError):
                continue
            if ends <= now.timestamp():
                raise Expired
            return order_id
        raise Forged
