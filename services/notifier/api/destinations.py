"""`/v1/destinations`: where messages go. Secrets go in and never come out."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from pydantic import BaseModel, model_validator

from services.notifier.api.addresses import (
    Body,
    DingtalkBotBody,
    EmailAnswer,
    EmailBody,
    FeishuBotBody,
    Line,
    SignedBotAnswer,
    SlackAnswer,
    SlackBody,
    WebhookAnswer,
    WebhookBody,
    WecomAppAnswer,
    WecomAppBody,
    WecomBotAnswer,
    WecomBotBody,
    shown,
)
from services.notifier.api.deliveries import DeliveryAnswer, disabled
from services.notifier.api.desk import AtDesk, Desk, Writer
from services.notifier.api.manners import (
    QuietHoursBody,
    RhythmBody,
    Zone,
    manners_of,
    shown_quiet,
    shown_rhythm,
)
from services.notifier.domain.addresses import ADDRESSES, Address, DestinationKind
from services.notifier.domain.contents import TestNote
from services.notifier.domain.deliveries import State
from services.notifier.domain.destinations import Destination, Language
from services.notifier.domain.manners import Every
from services.notifier.store import configuration, listing, replays
from services.notifier.store.audit import What
from services.notifier.store.configuration import LaneTaken
from services.notifier.store.dead_letters import Stretch
from shared.database import audit
from shared.database.audit import Done
from shared.database.engine import Connection
from shared.http.audit import doer_of
from shared.http.auth import Scope, require
from shared.http.pages import Page
from shared.http.problems import Problem, not_found

router = APIRouter(prefix="/v1/destinations", tags=["destinations"])

TEST_WAIT = timedelta(seconds=10)
_TEST_LOOK_SECONDS = 0.05

Id = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
Reader = Depends(require(Scope.ALERTS_READ))


class DestinationBody(Body):
    """A destination as it is put, with one part: that under the name of its kind.

    `timezone` is that of the times in its messages. A webhook, which a program listens to, is told
    at once and has neither `quiet_hours` nor a `digest`. In a group (a bot's of WeCom, DingTalk or
    Feishu, a Slack channel) those whom a message is for are mentioned, unless `mentions` is false.
    """

    kind: DestinationKind
    name: Line
    language: Language
    timezone: Zone | None = None
    enabled: bool = True
    quiet_hours: QuietHoursBody | None = None
    digest: RhythmBody = RhythmBody()
    mentions: bool = True
    wecom_bot: WecomBotBody | None = None
    wecom_app: WecomAppBody | None = None
    dingtalk_bot: DingtalkBotBody | None = None
    feishu_bot: FeishuBotBody | None = None
    slack: SlackBody | None = None
    email: EmailBody | None = None
    webhook: WebhookBody | None = None

    @model_validator(mode="after")
    def _has_its_part(self) -> Self:
        given = [kind for kind in DestinationKind if getattr(self, kind.value) is not None]
        if given != [self.kind]:
            raise ValueError(f"send the part {self.kind.value}, and only that")
        return self

    @model_validator(mode="after")
    def _programs_hear_at_once(self) -> Self:
        waits = self.quiet_hours is not None or self.digest.every is not Every.IMMEDIATELY
        if waits and ADDRESSES[self.kind].of_programs:
            raise ValueError("a program is told at once: leave quiet_hours and digest out")
        return self

    @model_validator(mode="after")
    def _is_a_group_if_it_is_about_mentions(self) -> Self:
        if not self.mentions and not ADDRESSES[self.kind].mentions:
            raise ValueError("only in a group are people mentioned: leave mentions out")
        return self

    def destination(self, id_: str, former: Destination | None) -> Destination:
        """Return what is to be stored; secrets left out are those of the former one."""
        part = getattr(self, self.kind.value)
        address: Address = part.address(None if former is None else former.address)
        timezone = self.timezone or self.language.timezone
        return Destination(
            id=id_,
            name=self.name,
            language=self.language,
            timezone=timezone,
            enabled=self.enabled,
            address=address,
            manners=manners_of(
                self.kind, timezone, self.quiet_hours, self.digest, mentions=self.mentions
            ),
        )


class DestinationAnswer(BaseModel):
    """A destination as it is shown; `mentions` of groups alone."""

    id: str
    kind: DestinationKind
    name: str
    language: Language
    timezone: str
    enabled: bool
    quiet_hours: QuietHoursBody | None = None
    digest: RhythmBody | None = None
    mentions: bool | None = None
    wecom_bot: WecomBotAnswer | None = None
    wecom_app: WecomAppAnswer | None = None
    dingtalk_bot: SignedBotAnswer | None = None
    feishu_bot: SignedBotAnswer | None = None
    slack: SlackAnswer | None = None
    email: EmailAnswer | None = None
    webhook: WebhookAnswer | None = None

    @classmethod
    def of(cls, destination: Destination) -> Self:
        """Return a destination without its secrets."""
        return cls.model_validate(
            {
                "id": destination.id,
                "kind": destination.kind,
                "name": destination.name,
                "language": destination.language,
                "timezone": destination.timezone,
                "enabled": destination.enabled,
                "quiet_hours": shown_quiet(destination.manners),
                "digest": shown_rhythm(destination.manners),
                "mentions": destination.manners.mentions if destination.address.mentions else None,
                destination.kind.value: shown(destination.address),
            }
        )


@router.put(
    "/{id_}",
    response_model_exclude_none=True,
    responses={
        HTTPStatus.CREATED: {"description": "A new destination", "model": DestinationAnswer}
    },
)
async def put_destination(
    desk: AtDesk,
    id_: Id,
    body: DestinationBody,
    request: Request,
    response: Response,
    caller: Writer,
) -> DestinationAnswer:
    """Create or change a destination.

    Before one is enabled, all that waited for it is judged: with 100,000 that may take a minute.
    """
    now = desk.clock.now()
    doer = doer_of(request, caller, now)
    if body.enabled:
        await _judge_what_waited(desk, id_, now)

    async def store(connection: Connection) -> tuple[Destination, bool]:
        former = await configuration.destination(connection, id_, desk.vault, usable=False)
        destination = body.destination(id_, former)
        created = await configuration.put_destination(connection, destination, desk.vault)
        if destination.enabled and former is not None and not former.enabled:
            await replays.resume(connection, id_, now, Stretch())
        await audit.add(connection, doer, *_done(former, destination))
        return destination, created

    try:
        destination, created = await desk.asked(store)
    except LaneTaken as error:
        raise Problem(
            HTTPStatus.CONFLICT,
            "key_in_use",
            "Another destination has this bot key, application or channel; they would share its "
            "limit. Use one destination for each.",
        ) from error
    response.status_code = HTTPStatus.CREATED if created else HTTPStatus.OK
    return DestinationAnswer.of(destination)


def _done(former: Destination | None, destination: Destination) -> list[Done]:
    """Return what the audit has of it, if anything has changed: of secrets, which are new."""
    after: dict[str, object] = _described(destination)
    if former is None:
        return [Done(What.DESTINATION_PUT, destination.id, None, after)]
    if replace(destination, version=former.version) == former:
        return []
    known = former.address.secrets if former.kind is destination.kind else {}
    secrets = destination.address.secrets
    new = sorted(name for name, secret in secrets.items() if secret != known.get(name))
    if new:
        after["new_secrets"] = new
    return [Done(What.DESTINATION_PUT, destination.id, _described(former), after)]


def _described(destination: Destination) -> dict[str, object]:
    answer = DestinationAnswer.of(destination)
    return answer.model_dump(mode="json", by_alias=True, exclude_none=True)


async def _judge_what_waited(desk: Desk, id_: str, now: datetime) -> None:
    """Judge nearly all that waited for a disabled destination, while nothing is sent to it yet."""
    former = await desk.asked(
        lambda connection: configuration.destination(connection, id_, desk.vault, usable=False)
    )
    stretch = None if former is None or former.enabled else replays.FIRST
    while stretch is not None:
        judge = partial(replays.resume, destination=id_, now=now, stretch=stretch)
        stretch = await desk.asked(judge)


@router.get("", dependencies=[Reader], response_model_exclude_none=True)
async def list_destinations(desk: AtDesk) -> Page[DestinationAnswer]:
    """Return all destinations; there are few enough for one page."""
    found = await desk.asked(lambda connection: configuration.destinations(connection, desk.vault))
    return Page(items=[DestinationAnswer.of(destination) for destination in found])


@router.get("/{id_}", dependencies=[Reader], response_model_exclude_none=True)
async def get_destination(desk: AtDesk, id_: Id) -> DestinationAnswer:
    """Return one destination."""
    return DestinationAnswer.of(await found_destination(desk, id_))


async def found_destination(desk: Desk, id_: str) -> Destination:
    """Return a destination, to be looked at. Raises Problem 404 where there is none."""
    found = await desk.asked(
        lambda connection: configuration.destination(connection, id_, desk.vault, usable=False)
    )
    if found is None:
        raise not_found(f"destination {id_}")
    return found


_SETTLED = {State.SENT, State.DEAD, State.SUPPRESSED, State.FAILED}


@router.post(
    "/{id_}/test",
    responses={HTTPStatus.ACCEPTED: {"description": "It still waits", "model": DeliveryAnswer}},
)
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
    destination = await found_destination(desk, id_)
    if not destination.enabled:
        raise disabled()
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
