"""How a destination is, and whom each step of an episode was told."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx

from services.console.upstream.answers import Revision
from services.console.upstream.delivery_answers import CountedDelivery, Destination
from services.console.upstream.health import Condition, Health, health, health_of
from services.console.upstream.notifier import Notifier
from services.console.upstream.service import Service
from services.console.upstream.timeline import timeline

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
GROUP = Destination(id="group", kind="wecom_bot", name="群")


def delivery(minute: int, state: str, **parts: object) -> CountedDelivery:
    made = T0 + timedelta(minutes=minute)
    fields = {
        "id": UUID(int=minute),
        "kind": "first",
        "destination": "group",
        "state": state,
        "created_at": made,
        "sent_at": made if state == "sent" else None,
    }
    return CountedDelivery.model_validate(fields | parts)


def test_a_destination_fails_since_the_first_failure_after_the_last_arrival() -> None:
    again = T0 + timedelta(hours=1)
    found = health(
        GROUP,
        [
            delivery(9, "waiting"),
            delivery(8, "failed", reason="450 busy", next_at=again),
            delivery(7, "suppressed"),
            delivery(6, "dead", reason="refused: errcode 93000: no"),
            delivery(5, "sent"),
            delivery(4, "dead"),
        ],
    )
    assert found.condition is Condition.FAILING
    assert found.since == T0 + timedelta(minutes=6)
    assert (found.reason, found.again_at, found.waiting) == ("450 busy", again, 2)


def test_a_destination_is_well_once_something_arrived_again() -> None:
    found = health(GROUP, [delivery(5, "sent"), delivery(4, "dead")])
    assert (found.condition, found.since) == (Condition.WELL, T0 + timedelta(minutes=5))


def test_a_destination_that_is_off_or_was_never_used_is_neither_well_nor_failing() -> None:
    off = GROUP.model_copy(update={"enabled": False})
    assert health(off, [delivery(1, "dead")]).condition is Condition.OFF
    assert health(GROUP, [delivery(1, "suppressed")]).condition is Condition.UNUSED


async def told(deliveries: list[CountedDelivery]) -> Health:
    """Return what is said of the group by a notifier that has these, newest first."""

    def answer(request: httpx.Request) -> httpx.Response:
        asked = request.url.params
        fitting = [one for one in deliveries if asked.get("state", "") in {"", one.state}]
        items = [one.model_dump(mode="json") for one in fitting[: int(asked["limit"])]]
        return httpx.Response(200, json={"items": items})

    transport = httpx.MockTransport(answer)
    async with httpx.AsyncClient(transport=transport, base_url="http://it") as client:
        return await health_of(Notifier(Service("it", client)), GROUP)


async def test_a_flood_hides_neither_that_something_arrived_nor_that_nothing_does() -> None:
    flood = [delivery(minute, "waiting") for minute in range(100, 60, -1)]
    well = await told([*flood, delivery(50, "sent"), delivery(40, "dead")])
    assert (well.condition, well.since) == (Condition.WELL, T0 + timedelta(minutes=50))
    failing = await told([*flood, delivery(50, "dead", reason="no"), delivery(40, "sent")])
    assert (failing.condition, failing.since) == (Condition.FAILING, T0 + timedelta(minutes=50))
    assert (await told(flood)).condition is Condition.UNUSED
    assert {(one.waiting, one.or_more) for one in (well, failing)} == {(20, True)}


async def test_what_waits_is_counted_where_it_can_be() -> None:
    few = await told([delivery(3, "waiting"), delivery(2, "sent")])
    assert (few.waiting, few.or_more) == (1, False)
    busy = await told([delivery(minute, "sent") for minute in range(60, 0, -1)])
    assert (busy.waiting, busy.or_more) == (0, False)


def test_the_address_shown_is_that_of_the_kind() -> None:
    parts = {"id": "m", "kind": "email", "name": "m", "email": {"to": ["a@x", "b@x"], "host": "h"}}
    assert Destination.model_validate(parts).address == "a@x, b@x"
    assert GROUP.address == ""


def test_each_step_has_the_notices_that_tell_it() -> None:
    history = [
        Revision(revision=1, event="opened", level="watch", occurred_at=T0),
        Revision(revision=2, event="resolved", level="watch", occurred_at=T0),
    ]
    steps = timeline(
        history,
        [
            delivery(3, "sent", revision=2),
            delivery(2, "sent", revision=1),
            delivery(1, "merged", revision=1),
            delivery(4, "suppressed", revision=2, destination=None),
        ],
    )
    assert [step.revision.revision for step in steps] == [2, 1]
    assert [one.state for one in steps[1].notices] == ["merged", "sent"]
    assert [one.id.int for one in steps[0].notices] == [3]
