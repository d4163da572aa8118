"""E-mail addresses that people write, checked by the parser that mails are written with.

A local part may hold a comma only in quotes: without them one address would be read as two. What
is returned is what the parser reads, so a list of them reads as it was written.
"""

from email.errors import MessageError
from email.headerregistry import Address
from email.utils import unquote
from typing import Annotated

from pydantic import AfterValidator, StringConstraints


def _mailbox(written: str) -> str:
    """Return an address alone. Raises ValueError."""
    return _parsed("", written).addr_spec


def _sender(written: str) -> str:
    """Return an address after a name, if there is one, in quotes where it needs them."""
    if not written.endswith(">"):
        return _mailbox(written)
    name, _, address = written[:-1].rpartition("<")
    return str(_parsed(unquote(name.strip()), address))


def _parsed(name: str, address: str) -> Address:
    try:
        return Address(name, addr_spec=address)
    except (MessageError, ValueError, IndexError):
        raise ValueError(f"{address} is no e-mail address") from None


MailAddress = Annotated[
    str,
    StringConstraints(pattern=r"^[\x21-\x3f\x41-\x7e]+@[A-Za-z0-9.-]+$", max_length=254),
    AfterValidator(_mailbox),
]
"""Of a person or a mailbox, alone; in ASCII."""

MailSender = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:[^\x00-\x1f\x7f<>]* <)?[\x21-\x3b\x3d\x3f\x41-\x7e]+@[A-Za-z0-9.-]+>?$",
        max_length=254,
    ),
    AfterValidator(_sender),
]
"""Of who writes: an address, or `name <address>`."""
