"""The part of a destination's body that its kind alone has: as it is put, and as it is shown.

A secret left out keeps the stored one, as long as the server is the same that it goes to; null
takes away one that is not needed; none is shown.
"""

import base64
import binascii
import re
from ipaddress import ip_address
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    model_validator,
)

from services.notifier.api.desk import refusal_of
from services.notifier.api.kept_secrets import Kept, masked, origin
from services.notifier.domain.addresses import (
    Address,
    DestinationKind,
    DingtalkBot,
    Email,
    FeishuBot,
    Slack,
    Tls,
    Webhook,
    WecomApp,
    WecomBot,
)
from services.notifier.domain.off_limits import is_off_limits
from shared.mail_addresses import MailAddress, MailSender

Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=200)]
_Keyword = Annotated[Line, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
_Password = Annotated[SecretStr, Field(min_length=1, max_length=256)]


def _printable(secret: SecretStr) -> SecretStr:
    """Check that a vendor's key fits into a URL or a header as it is."""
    if not _PRINTABLE.fullmatch(secret.get_secret_value()):
        raise ValueError("send printable ASCII without spaces")
    return secret


_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_Key = Annotated[SecretStr, Field(min_length=1, max_length=256), AfterValidator(_printable)]
_Url = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$", max_length=2_000)]


def _outward(url: str) -> str:
    if is_off_limits(urlsplit(url).hostname or ""):
        raise ValueError("send a URL that is not link-local, nor a cloud's metadata")
    return url


def _base_url(url: str) -> str:
    parts = urlsplit(url)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    ):
        raise ValueError("send scheme and host alone, such as https://vendor.example")
    return url.rstrip("/")


_BaseUrl = Annotated[_Url, AfterValidator(_base_url), AfterValidator(_outward)]


class Body(BaseModel):
    """What is put: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class WecomBotBody(Body):
    """A group bot. Leave `key` out to keep the one that is stored."""

    key: _Key | None = None
    url: _BaseUrl = "https://qyapi.weixin.qq.com"

    def address(self, former: Address | None) -> WecomBot:
        """Return what is to be stored."""
        kept = Kept(former, DestinationKind.WECOM_BOT, origin(self.url))
        return WecomBot(key=kept.needed("key", self.key), url=self.url)


class WecomBotAnswer(BaseModel):
    """A group bot, its key masked."""

    key: str
    url: str


def _aes_key(secret: SecretStr) -> SecretStr:
    """Check an EncodingAESKey: 43 characters that are a 32-byte key in base64."""
    try:
        length = len(base64.b64decode(secret.get_secret_value() + "=", validate=True))
    except binascii.Error:
        length = 0
    if length != 32:
        raise ValueError("send the 43 characters of the application's EncodingAESKey")
    return secret


class WecomAppBody(Body):
    """An application. Secrets left out are those that are stored.

    `to` are the user ids for what names nobody. `callback_token` and `encoding_aes_key` are those
    of the application's page "API receiving messages", whose URL is `/callbacks/wecom/{id}` here.
    """

    corp_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    agent_id: Annotated[int, Field(ge=1, lt=2**31)]
    secret: _Key | None = None
    callback_token: _Key | None = None
    encoding_aes_key: Annotated[SecretStr, AfterValidator(_aes_key)] | None = None
    to: Annotated[
        list[Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$")]],
        Field(min_length=1, max_length=1_000),
    ]
    url: _BaseUrl = "https://qyapi.weixin.qq.com"

    def address(self, former: Address | None) -> WecomApp:
        """Return what is to be stored."""
        kept = Kept(former, DestinationKind.WECOM_APP, origin(self.url))
        return WecomApp(
            corp_id=self.corp_id,
            agent_id=self.agent_id,
            secret=kept.needed("secret", self.secret),
            callback_token=kept.needed("callback_token", self.callback_token),
            encoding_aes_key=kept.needed("encoding_aes_key", self.encoding_aes_key),
            to=tuple(self.to),
            url=self.url,
        )


class WecomAppAnswer(BaseModel):
    """An application, its secrets masked."""

    corp_id: str
    agent_id: int
    secret: str
    callback_token: str
    encoding_aes_key: str
    to: list[str]
    url: str


class _SignedBotBody(Body):
    """A group bot; `secret` if its messages are to be signed, `keyword` if they are to have one.

    A token or secret that is left out is kept.
    """

    token: _Key | None = None
    secret: _Key | None = None
    keyword: _Keyword | None = None

    def _secrets(self, kept: Kept) -> tuple[SecretStr, SecretStr | None]:
        """Return token and secret as they are to be stored."""
        given = "secret" in self.model_fields_set
        secret = self.secret if given else kept.secret("secret")
        return kept.needed("token", self.token), secret


class SignedBotAnswer(BaseModel):
    """A group bot, its secrets masked."""

    token: str
    secret: str | None = None
    keyword: str | None = None
    url: str


class DingtalkBotBody(_SignedBotBody):
    """A DingTalk group bot: `secret` is that of 加签, `keyword` one of 自定义关键词.

    A token or secret that is left out is kept.
    """

    url: _BaseUrl = "https://oapi.dingtalk.com"

    def address(self, former: Address | None) -> DingtalkBot:
        """Return what is to be stored."""
        kept = Kept(former, DestinationKind.DINGTALK_BOT, origin(self.url))
        token, secret = self._secrets(kept)
        return DingtalkBot(token, self.url, secret, self.keyword)


class FeishuBotBody(_SignedBotBody):
    """A Feishu custom bot: `secret` is that of 签名校验, `keyword` one of 自定义关键词.

    A token or secret that is left out is kept.
    """

    url: _BaseUrl = "https://open.feishu.cn"

    def address(self, former: Address | None) -> FeishuBot:
        """Return what is to be stored."""
        kept = Kept(former, DestinationKind.FEISHU_BOT, origin(self.url))
        token, secret = self._secrets(kept)
        return FeishuBot(token, self.url, secret, self.keyword)


class SlackBody(Body):
    """A channel and the bot that writes to it. A secret that is left out is kept.

    The bot needs the scope chat:write and to be in the channel; `channel` is its id. With the
    `signing_secret` of its app there are buttons; the app's Request URL for interactivity is
    `/callbacks/slack/{id}` here.
    """

    token: _Key | None = None
    signing_secret: _Key | None = None
    channel: Annotated[str, StringConstraints(pattern=r"^[CDG][A-Z0-9]{6,20}$")]
    url: _BaseUrl = "https://slack.com"

    def address(self, former: Address | None) -> Slack:
        """Return what is to be stored."""
        kept = Kept(former, DestinationKind.SLACK, origin(self.url))
        given = "signing_secret" in self.model_fields_set
        return Slack(
            token=kept.needed("token", self.token),
            channel=self.channel,
            url=self.url,
            signing_secret=self.signing_secret if given else kept.secret("signing_secret"),
        )


class SlackAnswer(BaseModel):
    """A channel, the secrets masked."""

    token: str
    signing_secret: str | None = None
    channel: str
    url: str


_IN_CLEAR = "the password would go in clear: send starttls or implicit"


class EmailBody(Body):
    """Recipients and a mail server. Leave `password` out to keep the one that is stored.

    `tls`: none, starttls (port 587) or implicit (port 465); with none a password goes to this
    machine only. `starttls`, true or false, is its former form. `personal`: mails go to the people
    they are for, one by one, each with links of their own; `to` is for what names nobody.
    """

    to: Annotated[list[MailAddress], Field(min_length=1, max_length=50)]
    sender: Annotated[MailSender, Field(alias="from")]
    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]+$", max_length=253)]
    port: Annotated[int, Field(ge=1, le=65_535)]
    username: Line | None = None
    password: _Password | None = None
    tls: Tls = "none"
    personal: bool = False

    @model_validator(mode="before")
    @classmethod
    def _read_former(cls, part: Any) -> Any:  # noqa: ANN401 - whatever was sent
        if isinstance(part, dict) and "tls" not in part and part.get("starttls") in (True, False):
            rest = {name: value for name, value in part.items() if name != "starttls"}
            return rest | {"tls": "starttls" if part["starttls"] else "none"}
        return part

    def address(self, former: Address | None) -> Email:
        """Return what is to be stored; without a user there is no password."""
        kept = Kept(former, DestinationKind.EMAIL, f"{self.host}:{self.port}")
        password = self.password
        if password is None and self.username is not None:
            password = kept.secret("password")
        if password is not None and self.tls == "none" and not _is_here(self.host):
            raise refusal_of("email.tls", "insecure", _IN_CLEAR)
        return Email(
            to=tuple(self.to),
            sender=self.sender,
            host=self.host,
            port=self.port,
            username=self.username,
            password=password,
            tls=self.tls,
            personal=self.personal,
        )


class EmailAnswer(BaseModel):
    """Recipients and a mail server, the password masked."""

    model_config = ConfigDict(populate_by_name=True)

    to: list[str]
    sender: Annotated[str, Field(serialization_alias="from")]
    host: str
    port: int
    username: str | None = None
    password: str | None = None
    tls: Tls
    personal: bool = False


def _is_here(host: str) -> bool:
    """Return whether a host is this machine, by its name alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    if (
        parts.scheme not in {"http", "https"}
        or not parts.hostname
        or parts.username is not None
        or parts.fragment
    ):
        raise ValueError("send an http or https URL without a user's name or a fragment")
    return url


def _signing_secret(secret: SecretStr) -> SecretStr:
    """Check a secret as Standard Webhooks serialises it: `whsec_`, base64, 24 to 64 bytes."""
    prefix, marker, encoded = secret.get_secret_value().partition("whsec_")
    try:
        length = len(base64.b64decode(encoded, validate=True))
    except binascii.Error:
        length = 0
    if prefix or not marker or not 24 <= length <= 64:
        raise ValueError("send whsec_ and 24 to 64 random bytes in base64")
    return secret


class WebhookBody(Body):
    """An endpoint by Standard Webhooks. Leave `secret` out to keep the one that is stored.

    `url` is shown to whoever may read destinations: what is secret does not belong into it.
    """

    url: Annotated[_Url, AfterValidator(_endpoint), AfterValidator(_outward)]
    secret: Annotated[SecretStr, AfterValidator(_signing_secret)] | None = None

    def address(self, former: Address | None) -> Webhook:
        """Return what is to be stored."""
        kept = Kept(former, DestinationKind.WEBHOOK, origin(self.url))
        return Webhook(secret=kept.needed("secret", self.secret), url=self.url)


class WebhookAnswer(BaseModel):
    """An endpoint, its secret masked."""

    url: str
    secret: str


def shown(address: Address) -> dict[str, object]:
    """Return an address without its secrets, for the answer of its kind."""
    return address.settings | {name: masked(each) for name, each in address.secrets.items()}
