"""The kinds of destinations: what an address consists of, and what its vendor or reader allows.

A new kind begins here with a dataclass; `destinations.kinds` names the module that writes and
sends for it, `api.addresses` the bodies that describe it. Secrets are the fields of type
SecretStr: they are stored sealed and shown masked without further ado.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import ClassVar, Literal

from pydantic import SecretStr
from typing_extensions import override

from services.notifier.domain.limits import MINUTE, SECOND, Limit

LOST = SecretStr("")
"""In the place of a stored secret that cannot be opened: no secret is empty."""


class DestinationKind(StrEnum):
    """How a destination is reached."""

    WECOM_BOT = "wecom_bot"
    WECOM_APP = "wecom_app"
    DINGTALK_BOT = "dingtalk_bot"
    FEISHU_BOT = "feishu_bot"
    SLACK = "slack"
    EMAIL = "email"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class _Address:
    """What all kinds have in common.

    `limits` are those on messages; without any, each message goes by itself. `longest_bytes` is
    the most that a message may have, by the vendor's way of counting (None: whatever it takes).
    `recognises_repeats` says that the other side drops a message that it has already had,
    `threads` that what follows in an episode hangs under its first notice, `updates` that it may
    change what its cards show, `of_programs` that no person reads it there, `mentions` that a
    message to the group may ring some of it.
    """

    kind: ClassVar[DestinationKind]
    limits: ClassVar[Sequence[Limit]]
    longest_bytes: ClassVar[int | None] = None
    recognises_repeats: ClassVar[bool] = False
    threads: ClassVar[bool] = False
    updates: ClassVar[bool] = False
    of_programs: ClassVar[bool] = False
    mentions: ClassVar[bool] = False

    @property
    def counted_by(self) -> str | None:
        """What the vendor counts messages by; None where it does not count."""
        return None

    @property
    def secrets(self) -> dict[str, SecretStr]:
        """The secrets that are set, by name."""
        return {name: value for name, value in self._values if isinstance(value, SecretStr)}

    @property
    def settings(self) -> dict[str, object]:
        """Everything that is no secret, by name."""
        return {name: value for name, value in self._values if not isinstance(value, SecretStr)}

    @property
    def _values(self) -> list[tuple[str, object]]:
        return [(field.name, getattr(self, field.name)) for field in fields(self)]


@dataclass(frozen=True, slots=True)
class WecomBot(_Address):
    """A WeCom group bot; whoever knows the key may write to the group.

    20 messages a minute per key, 4,096 bytes of markdown.
    """

    kind = DestinationKind.WECOM_BOT
    limits = (Limit(20, MINUTE),)
    longest_bytes: ClassVar[int] = 4_096
    mentions = True

    key: SecretStr
    url: str
    """Scheme and host of the vendor, or of a stand-in; likewise for the other vendors."""

    @property
    @override
    def counted_by(self) -> str:
        """The key."""
        return self.key.get_secret_value()


@dataclass(frozen=True, slots=True)
class WecomApp(_Address):
    """A WeCom application: writes to people one by one, with buttons that come back.

    The vendor allows each person 30 messages a minute and 1,000 an hour, and drops what is more
    without a word. 16 a minute for the whole application are under both, whoever they are for
    (61 minutes that an hour touches: 976). 2,048 bytes of text or markdown.
    """

    kind = DestinationKind.WECOM_APP
    limits = (Limit(16, MINUTE),)
    longest_bytes: ClassVar[int] = 2_048
    recognises_repeats = True
    updates = True

    corp_id: str
    agent_id: int
    secret: SecretStr
    callback_token: SecretStr
    encoding_aes_key: SecretStr
    """43 characters: the base64 of a 32-byte key, without the sign at its end."""
    to: tuple[str, ...]
    """User ids for what names nobody."""
    url: str

    @property
    @override
    def counted_by(self) -> str:
        """The application."""
        return f"{self.corp_id}/{self.agent_id}"


@dataclass(frozen=True, slots=True)
class DingtalkBot(_Address):
    """A DingTalk group bot; whoever knows the token may write to the group.

    20 messages a minute per token, then ten minutes of none; 20,000 bytes.
    `secret` is that of the bots whose messages are to be signed, `keyword` one of those without
    which they take none.
    """

    kind = DestinationKind.DINGTALK_BOT
    limits = (Limit(20, MINUTE),)
    longest_bytes: ClassVar[int] = 20_000
    mentions = True

    token: SecretStr
    url: str
    secret: SecretStr | None = None
    keyword: str | None = None

    @property
    @override
    def counted_by(self) -> str:
        """The token."""
        return self.token.get_secret_value()


@dataclass(frozen=True, slots=True)
class FeishuBot(_Address):
    """A Feishu custom bot; whoever knows the token may write to the group.

    100 messages a minute and 5 a second per token, 20 KB (taken for 20,000
    bytes). `secret` is that of the bots whose messages are to be signed, `keyword` one of those
    without which they take none.
    """

    kind = DestinationKind.FEISHU_BOT
    limits = (Limit(100, MINUTE), Limit(5, SECOND))
    longest_bytes: ClassVar[int] = 20_000
    mentions = True

    token: SecretStr
    url: str
    secret: SecretStr | None = None
    keyword: str | None = None

    @property
    @override
    def counted_by(self) -> str:
        """The token."""
        return self.token.get_secret_value()


@dataclass(frozen=True, slots=True)
class Slack(_Address):
    """A Slack channel that an app's bot may write to.

    One message a second per channel; 30 a minute is ours, as for mail.
    A text is best kept to 4,000 characters, says the vendor; bytes are never fewer.
    `signing_secret` is that of the app whose buttons come back; without it there are none.
    """

    kind = DestinationKind.SLACK
    limits = (Limit(30, MINUTE), Limit(1, SECOND))
    longest_bytes: ClassVar[int] = 4_000
    threads = True
    mentions = True

    token: SecretStr
    """The bot's, `xoxb-…`."""
    channel: str
    """By its id: a name may change."""
    url: str
    signing_secret: SecretStr | None = None

    @property
    @override
    def counted_by(self) -> str:
        """The channel, as this bot sees it."""
        return f"{self.token.get_secret_value()}/{self.channel}"


Tls = Literal["none", "starttls", "implicit"]
"""How a connection is kept from others: not at all, by STARTTLS (port 587), or from its first byte
on (port 465)."""


@dataclass(frozen=True, slots=True)
class Email(_Address):
    """Recipients, and the server that takes mail for them.

    Its limit is ours: more is a flood to whoever reads it. `personal`: each mail goes to the people
    it is for, one by one, and to the recipients here only where it names nobody.
    """

    kind = DestinationKind.EMAIL
    limits = (Limit(30, MINUTE),)

    to: tuple[str, ...]
    sender: str
    host: str
    port: int
    username: str | None = None
    password: SecretStr | None = None
    tls: Tls = "none"
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Webhook(_Address):
    """An endpoint of another program, called as Standard Webhooks 1.0.0 says.

    It recognises a repeat by its `webhook-id`. It has no limit of ours: a program wants every
    event, and one that wants them slower answers 429.
    """

    kind = DestinationKind.WEBHOOK
    limits = ()
    recognises_repeats = True
    of_programs = True

    secret: SecretStr
    """`whsec_` and 24 to 64 bytes in base64."""
    url: str


Address = WecomBot | WecomApp | DingtalkBot | FeishuBot | Slack | Email | Webhook

_ALL: tuple[type[Address], ...] = (
    WecomBot,
    WecomApp,
    DingtalkBot,
    FeishuBot,
    Slack,
    Email,
    Webhook,
)

ADDRESSES: Mapping[DestinationKind, type[Address]] = {each.kind: each for each in _ALL}
