"""`/v1/destinations`: where messages go. Secrets go in and never come out."""

import asyncio
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Self
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import available_timezones

from fastapi import APIRouter, Depends, Header, Path, Response
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, model_validator

from services.notifier.api.deliveries import DeliveryAnswer
from services.notifier.api.desk import AtDesk, Desk
from services.notifier.domain.contents import TestNote
from services.notifier.domain.deliveries import State
from services.notifier.domain.destinations import (
    Destination,
    DestinationKind,
    Email,
    Language,
    WecomBot,
)
from services.notifier.store import configuration, listing
from services.notifier.store.configuration import LaneTaken
from shared.database.engine import Connection
from shared.http.auth import Caller, Scope, require
from shared.http.pages import Page
from shared.http.problems import Problem, not_found

router = APIRouter(prefix="/v1/destinations", tags=["destinations"])

MASK = "****"
TEST_WAIT = timedelta(seconds=10)
_TEST_LOOK_SECONDS = 0.05

Id = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Reader = Depends(require(Scope.ALERTS_READ))
Writer = Annotated[Caller, Depends(require(Scope.CONFIG_WRITE))]

_Line = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", max_length=200)]
_Address = Annotated[
    str, StringConstraints(pattern=r"^[\x21-\x3f\x41-\x7e]+@[A-Za-z0-9.-]+$", max_length=254)
]
_Sender = Annotated[
    str,
    StringConstraints(
        pattern=r"^(?:[^\x00-\x1f\x7f<>]* <)?[\x21-\x3b\x3d\x3f\x41-\x7e]+@[A-Za-z0-9.-]+>?$",
        max_length=254,
    ),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class WecomBotBody(_Body):
    """A group bot. Leave `key` out to keep the one that is stored."""

    key: Annotated[SecretStr, Field(min_length=1, max_length=128)] | None = None
    url: str | None = None


class EmailBody(_Body):
    """Recipients and a mail server. Leave `password` out to keep the one that is stored."""

    to: Annotated[list[_Address], Field(min_length=1, max_length=50)]
    sender: Annotated[_Sender, Field(alias="from")]
    host: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.:-]+$", max_length=253)]
    port: Annotated[int, Field(ge=1, le=65_535)]
    username: _Line | None = None
    password: Annotated[SecretStr, Field(min_length=1, max_length=256)] | None = None
    starttls: bool = False


class DestinationBody(_Body):
    """A destination as it is put. `timezone` is that of the times in its messages."""

    kind: DestinationKind
    name: _Line
    language: Language
    timezone: str | None = None
    enabled: bool = True
    wecom_bot: WecomBotBody | None = None
    email: EmailBody | None = None

    @model_validator(mode="after")
    def _has_its_part(self) -> Self:
        given = {
            DestinationKind.WECOM_BOT: self.wecom_bot,
            DestinationKind.EMAIL: self.email,
        }
        if given.pop(self.kind) is None or any(given.values()):
            raise ValueError(f"send the part {self.kind.value}, and only that")
        if self.timezone is not None and self.timezone not in available_timezones():
            raise ValueError("timezone is no IANA zone; send one such as Asia/Shanghai")
        if self.wecom_bot is not None and not _is_base_url(self.wecom_bot.url):
            raise ValueError("url is scheme and host alone, such as https://qyapi.weixin.qq.com")
        return self


def _is_base_url(url: str | None) -> bool:
    if url is None:
        return True
    parts = urlsplit(url)
    return (
        parts.scheme in {"http", "https"}
        and bool(parts.hostname)
        and not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    )


class WecomBotAnswer(BaseModel):
    """A group bot, its key masked."""

    key: str
    url: str


class EmailAnswer(BaseModel):
    """Recipients and a mail server, the password masked."""

    model_config = ConfigDict(populate_by_name=True)

    to: list[str]
    sender: Annotated[str, Field(serialization_alias="from")]
    host: str
    port: int
    username: str | None
    password: str | None
    starttls: bool


class DestinationAnswer(BaseModel):
    """A destination as it is shown."""

    id: str
    kind: DestinationKind
    name: str
    language: Language
    timezone: str
    enabled: bool
    wecom_bot: WecomBotAnswer | None = None
    email: EmailAnswer | None = None

    @classmethod
    def of(cls, destination: Destination) -> Self:
        """Return a destination without its secrets."""
        answer = cls(
            id=destination.id,
            kind=destination.kind,
            name=destination.name,
            language=destination.language,
            timezone=destination.timezone,
            enabled=destination.enabled,
        )
        match destination.address:
            case WecomBot() as bot:
                answer.wecom_bot = WecomBotAnswer(key=_masked(bot.key), url=bot.url)
            case Email() as email:
                answer.email = EmailAnswer(
                    to=list(email.to),
                    sender=email.sender,
                    host=email.host,
                    port=email.port,
                    username=email.username,
                    password=None if email.password is None else MASK,
                    starttls=email.starttls,
                )
        return answer


def _masked(key: SecretStr) -> str:
    """Return enough of a long key to tell bots apart, and far too little to use one."""
    value = key.get_secret_value()
    return MASK + (value[-4:] if len(value) >= 32 else "")


@router.put("/{id_}", response_model_exclude_none=True)
async def put_destination(
    desk: AtDesk, id_: Id, body: DestinationBody, response: Response, _: Writer
) -> DestinationAnswer:
    """Create or change a destination."""

    async def store(connection: Connection) -> tuple[Destination, bool]:
        former = await configuration.destination(connection, id_, desk.vault)
        destination = _destination(id_, body, former, desk)
        return destination, await configuration.put_destination(connection, destination, desk.vault)

    try:
        destination, created = await desk.asked(store)
    except LaneTaken as error:
        raise Problem(
            HTTPStatus.CONFLICT,
            "key_in_use",
            "Another destination has this bot key; they would share its limit. "
            "Use one destination per bot.",
        ) from error
    response.status_code = HTTPStatus.CREATED if created else HTTPStatus.OK
    return DestinationAnswer.of(destination)


def _destination(
    id_: str, body: DestinationBody, former: Destination | None, desk: Desk
) -> Destination:
    address: WecomBot | Email
    if body.wecom_bot is not None:
        kept = former.address.key if former and isinstance(former.address, WecomBot) else None
        key = body.wecom_bot.key or kept
        if key is None:
            raise _missing("wecom_bot.key", "a new bot needs its key")
        url = body.wecom_bot.url or desk.wecom_url
        address = WecomBot(key=key, url=url.rstrip("/"))
    elif body.email is not None:
        mail = body.email
        known = former.address.password if former and isinstance(former.address, Email) else None
        address = Email(
            to=tuple(mail.to),
            sender=mail.sender,
            host=mail.host,
            port=mail.port,
            username=mail.username,
            password=mail.password or (known if mail.username else None),
            starttls=mail.starttls,
        )
    else:  # the body's own check has refused it
        raise _missing("kind", "send the part of the kind")
    zone = body.timezone or ("Asia/Shanghai" if body.language is Language.CHINESE else "UTC")
    return Destination(
        id=id_,
        name=body.name,
        language=body.language,
        timezone=zone,
        enabled=body.enabled,
        address=address,
    )


def _missing(field: str, message: str) -> Problem:
    return Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid",
        "Some fields are missing or wrong; see errors.",
        errors=[{"field": field, "code": "missing", "message": message}],
    )


@router.get("", dependencies=[Reader], response_model_exclude_none=True)
async def list_destinations(desk: AtDesk) -> Page[DestinationAnswer]:
    """Return all destinations; there are few enough for one page."""
    found = await desk.asked(lambda connection: configuration.destinations(connection, desk.vault))
    return Page(items=[DestinationAnswer.of(destination) for destination in found])


@router.get("/{id_}", dependencies=[Reader], response_model_exclude_none=True)
async def get_destination(desk: AtDesk, id_: Id) -> DestinationAnswer:
    """Return one destination."""
    return DestinationAnswer.of(await _found(desk, id_))


async def _found(desk: Desk, id_: str) -> Destination:
    found = await desk.asked(
        lambda connection: configuration.destination(connection, id_, desk.vault)
    )
    if found is None:
        raise not_found(f"destination {id_}")
    return found


_SETTLED = {State.SENT, State.DEAD, State.SUPPRESSED, State.FAILED}


@router.post("/{id_}/test")
async def send_test(
    desk: AtDesk,
    id_: Id,
    response: Response,
    caller: Writer,
    idempotency_key: Annotated[str | None, Header(max_length=128)] = None,
) -> DeliveryAnswer:
    """Send a test message the way an alert goes, and say what became of it.

    200 once it was tried (its state says with what success), 202 while it still waits.
    """
    destination = await _found(desk, id_)
    if not destination.enabled:
        raise Problem(
            HTTPStatus.CONFLICT, "disabled", "The destination is disabled; enable it first."
        )
    note = TestNote(destination_name=destination.name, asked_by=caller.subject)
    now = desk.clock.now()

    async def add(connection: Connection) -> UUID:
        return await listing.add_test(connection, id_, note, request_key=idempotency_key, now=now)

    delivery_id = await desk.asked(add)
    found = await _until_tried(desk, delivery_id)
    response.status_code = HTTPStatus.OK if found.state in _SETTLED else HTTPStatus.ACCEPTED
    return found


async def _until_tried(desk: Desk, id_: UUID) -> DeliveryAnswer:
    looks = int(TEST_WAIT.total_seconds() / _TEST_LOOK_SECONDS)
    for _ in range(looks):
        row = await desk.asked(lambda connection: listing.one(connection, id_))
        if row is not None and row.state in _SETTLED:
            return DeliveryAnswer.of(row)
        await asyncio.sleep(_TEST_LOOK_SECONDS)
    row = await desk.asked(lambda connection: listing.one(connection, id_))
    if row is None:
        raise not_found(f"delivery {id_}")
    return DeliveryAnswer.of(row)
