"""Links that one service seals and another opens: what lies between them holds no secret.

A link that lets whoever has it act must not be read on topics, in tables or in what pages show of a
message. Both ends derive the key from `LOWTIDE_SECRET_KEY`, so they must have the same one.
"""

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr

from shared.errors import LowtideError

_PURPOSE = b"lowtide-sealed-link"


class Sealed(LowtideError):  # noqa: N818 - a state, not a mistake
    """A link was sealed under a key that this process does not have."""


def keys_of(secret: SecretStr) -> list[str]:
    """Return the keys of `LOWTIDE_SECRET_KEY`: the first is for what is made, all for what is read.

    Raises ValueError for an empty one, which anybody could sign with.
    """
    keys = [key.strip() for key in secret.get_secret_value().split(",")]
    if not all(keys):
        raise ValueError("has an empty key among those that commas separate")
    return keys


class LinkSeal:
    """Seals links and opens them. `keys` may be several, comma separated: the first one seals."""

    def __init__(self, keys: SecretStr) -> None:
        self._fernet = MultiFernet([_fernet(each) for each in keys_of(keys)])

    def seal(self, link: str) -> str:
        """Return a link as it may be kept and passed on: letters, digits, `-`, `_` and `=`."""
        return self._fernet.encrypt(link.encode()).decode()

    def open(self, sealed: str) -> str:
        """Return a link that was sealed. Raises Sealed without the key."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            raise Sealed(
                "a link cannot be opened: LOWTIDE_SECRET_KEY is not the one of the service that "
                "has sealed it"
            ) from None


def _fernet(key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(hmac.digest(key.encode(), _PURPOSE, hashlib.sha256)))
