"""Do what people ask for from chats and mails, if the alert is theirs to act on.

read → drop what was done before → whose address is it → is it their business → act
     → write the revision (and so the next notice), or tell them alone why nothing changed
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never

from typing_extensions import override

from services.alerting.domain.answering import (
    TOLD,
    Answer,
    may_answer,
    opinion,
    order,
    refusal,
)
from services.alerting.domain.people import Responsibilities
from services.alerting.domain.refusals import Covered
from services.alerting.domain.subject import LevelSubject
from services.alerting.inbound import alert_responses
from services.alerting.inbound.alert_responses import Incoming
from services.alerting.inbound.catalog_items import Catalogue
from services.alerting.store import (
    action_rows,
    actions,
    acts,
    episodes,
    feedback,
    people,
    responses,
)
from services.alerting.store.acts import By
from services.alerting.store.episodes import Episode
from services.alerting.store.people import Person
from shared.clock import Clock
from shared.database.audit import Doer
from shared.database.engine import Connection
from shared.events.alert_responses import AlertResponse, FeedbackReason, ResponseKind, Via
from shared.events.stock_alerts import Recipient
from shared.kafka.handler import Batch, Forgetful
from shared.kafka.messages import Outgoing

SNOOZE_MINUTES = 240
"""For which an alert is put off when nobody said for how long."""

TOLD_AGAIN_AFTER = timedelta(hours=1)
"""Whoever goes on pressing what changes nothing is told so once in a while, not each time."""


class AlertResponses(Forgetful):
    """Works the batches of `alert.responses`."""

    def __init__(self, catalogue: Catalogue, clock: Clock) -> None:
        self._catalogue = catalogue
        self._clock = clock

    @override
    async def handle(self, connection: Connection, batch: Batch) -> Sequence[Outgoing]:
        incoming = alert_responses.read(batch)
        if incoming:
            if any(map(_moves_stock, incoming)):
                await action_rows.take_turn(connection)  # before any alert is locked
            await episodes.lock(connection, {each.response.alert_id for each in incoming})
            table = await people.responsibilities(connection)
            for each in incoming:
                await self._hear(connection, each, table)
        return ()

    async def _hear(
        self, connection: Connection, incoming: Incoming, table: Responsibilities
    ) -> None:
        response, now = incoming.response, self._clock.now()
        if await responses.is_known(connection, response.response_id):
            return
        person = await people.at_address(connection, response.who, response.via)
        episode = await episodes.locked(connection, response.alert_id)
        answer = await self._answer(connection, response, person, episode, table)
        if answer is None and person is not None and episode is not None:
            before = episode.revision, await feedback.last(connection, episode.id, person.id)
            category = self._category(episode)
            try:
                async with connection.begin_nested():  # what is refused has changed nothing
                    after = await _act(
                        connection, response, person, episode, category, now, incoming.traceparent
                    )
            except Covered:
                answer = Answer.COVERED
            else:
                # An opinion of what has ended is kept without a revision.
                said = await feedback.last(connection, episode.id, person.id)
                unchanged = after is None or (after.revision, said) == before
                answer = Answer.UNCHANGED if unchanged else Answer.DONE
        if episode is not None and answer in TOLD:
            await _refuse(connection, response, person, answer, now, incoming.traceparent)
        await responses.note(
            connection,
            response,
            None if person is None else person.id,
            answer or Answer.UNKNOWN_ALERT,
            now,
        )

    async def _answer(
        self,
        connection: Connection,
        response: AlertResponse,
        person: Person | None,
        episode: Episode | None,
        table: Responsibilities,
    ) -> Answer | None:
        """Return why nothing is done; None where it may be."""
        if episode is None:
            return Answer.UNKNOWN_ALERT
        refused = await self._refusal(connection, person, episode, table)
        # What has ended is told of no more, and nothing can be done about it but to judge it.
        is_opinion = response.kind is ResponseKind.FALSE_ALARM
        if episode.resolved_at is not None and (refused is not None or not is_opinion):
            return Answer.RESOLVED
        return refused

    async def _refusal(
        self,
        connection: Connection,
        person: Person | None,
        episode: Episode,
        table: Responsibilities,
    ) -> Answer | None:
        """Return why an alert is not somebody's to see to; None where it is."""
        if person is None:
            return Answer.UNKNOWN_PERSON
        row = table.row(self._category(episode), episode.subject.warehouse, episode.supplier)
        told = await responses.told(connection, episode.id)
        return None if may_answer(person.id, row, episode.owner, told) else Answer.OUT_OF_SCOPE

    def _category(self, episode: Episode) -> str | None:
        item = self._catalogue.items.get(episode.subject.sku)
        return None if item is None else item.category


async def _act(
    connection: Connection,
    response: AlertResponse,
    person: Person,
    episode: Episode,
    category: str | None,
    now: datetime,
    trace: str | None,
) -> Episode | None:
    via = "wecom" if response.via is Via.WECOM_APP else response.via.value
    by = By(person.id, None, now, trace, Doer(person.id, now, None, via))
    match response.kind:
        case ResponseKind.ACKNOWLEDGE:
            return await acts.acknowledge(connection, response.alert_id, by)
        case ResponseKind.FALSE_ALARM:
            words = opinion(response.reason, person.language)
            return await actions.opinion(
                connection, response.alert_id, response.reason, by, words=words
            )
        case ResponseKind.ORDERED if response.quantity is not None and isinstance(
            episode.subject, LevelSubject
        ):
            await actions.ordered(connection, response.alert_id, response.quantity, by, category)
            return await episodes.locked(connection, response.alert_id)
        case ResponseKind.ORDERED:
            noted = replace(by, note=order(person.language))
            return await acts.ordered(connection, response.alert_id, noted)
        case ResponseKind.SNOOZE:
            until = now + timedelta(minutes=response.minutes or SNOOZE_MINUTES)
            return await acts.snooze(connection, response.alert_id, until, by)
        case _:
            assert_never(response.kind)


def _moves_stock(incoming: Incoming) -> bool:
    response = incoming.response
    counts = response.reason is FeedbackReason.DATA_WRONG
    return response.kind is ResponseKind.ORDERED or counts


async def _refuse(
    connection: Connection,
    response: AlertResponse,
    person: Person | None,
    answer: Answer,
    now: datetime,
    trace: str | None,
) -> None:
    to = _recipient(response, person)
    actor = to.id or response.who
    since = now - TOLD_AGAIN_AFTER
    if await responses.was_refused(connection, response.alert_id, actor, answer, since):
        return
    by = By(actor, refusal(answer, to.language), now, trace)
    await acts.refuse(connection, response.alert_id, to, answer, by)


def _recipient(response: AlertResponse, person: Person | None) -> Recipient:
    """Return whoever answered, by the address that they answered from."""
    who, via = response.who, response.via
    return Recipient(
        id=None if person is None else person.id,
        name=who if person is None else person.name,
        language="zh-CN" if person is None else person.language,
        email=None if via in {Via.WECOM_APP, Via.SLACK} else who,
        wecom_userid=who if via is Via.WECOM_APP else None,
        slack_user_id=who if via is Via.SLACK else None,
    )
