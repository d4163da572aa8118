"""Where messages go, and how many a minute."""

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from pydantic import SecretStr


class DestinationKind(StrEnum):
    """How a destination is reached."""

    WECOM_BOT = "wecom_bot"
    EMAIL = "email"


class Language(StrEnum):
    """The language of a destination's messages."""

    CHINESE = "zh-CN"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class WecomBot:
    """A WeCom group bot; whoever knows the key may write to the group."""

    key: SecretStr
    url: str
    """Scheme and host of the vendor, or of a stand-in."""


@dataclass(frozen=True, slots=True)
class Email:
    """Recipients, and the server that takes mail for them."""

    to: tuple[str, ...]
    sender: str
    host: str
    port: int
    username: str | None = None
    password: SecretStr | None = None
    starttls: bool = False


@dataclass(frozen=True, slots=True)
class Destination:
    """A destination as configured; `version` grows with each change of it."""

    id: str
    name: str
    language: Language
    timezone: str
    enabled: bool
    address: WecomBot | Email
    version: int = 1

    @property
    def kind(self) -> DestinationKind:
        """How it is reached."""
        match self.address:
            case WecomBot():
                return DestinationKind.WECOM_BOT
            case Email():
                return DestinationKind.EMAIL
            case _:
                assert_never(self.address)

    @property
    def messages_per_minute(self) -> int:
        """WeCom: the vendor's limit per key. E-mail: more is a flood to whoever reads it."""
        match self.kind:
            case DestinationKind.WECOM_BOT:
                return 20
            case DestinationKind.EMAIL:
                return 30
            case _:
                assert_never(self.kind)

    @property
    def lane(self) -> str:
        """What the vendor counts messages by, without telling the secret: no two share one."""
        match self.address:
            case WecomBot(key=key):
                return f"wecom:{hashlib.sha256(key.get_secret_value().encode()).hexdigest()[:32]}"
            case Email():
                return f"email:{self.id}"
            case _:
                assert_never(self.address)
