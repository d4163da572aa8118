import json
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from deploy.local.replays import lowtide as lowtide_module
from deploy.local.replays.lanes import Batch
from deploy.local.replays.lowtide import Lowtide, RefusedError
from deploy.local.replays.poster import OpenGate, Pace, Tally, post_lanes

NOON = datetime(2010, 12, 1, 12, tzinfo=UTC)
Answer = Callable[[list[int]], httpx.Response]


def taken(events: list[int]) -> httpx.Response:
    counts = {"accepted": len(events), "ignored": 0, "quarantined": 0, "rejected": []}
    return httpx.Response(202, json=counts)


class Ingest:
    """Answers requests and remembers which events came in which order, by lane (tens)."""

    def __init__(self, answer: Answer = taken) -> None:
        self.seen: defaultdict[int, list[int]] = defaultdict(list)
        self._answer = answer

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/v1/events"
        assert request.headers["Authorization"] == "Bearer token"
        events: list[int] = json.loads(request.content)
        self.seen[events[0] // 10].extend(events)
        return self._answer(events)

    @property
    def lowtide(self) -> Lowtide:
        urls = {"ingest": "http://ingest"}
        return Lowtide(urls, "token", transport=httpx.MockTransport(self))


def batch(*events: int) -> Batch:
    return Batch(json.dumps(events).encode(), len(events), NOON)


LANES = [[batch(10, 11), batch(12)], [batch(20)], []]


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowtide_module, "FIRST_PAUSE_S", 0.0)


async def post(ingest: Ingest) -> Tally:
    tally = Tally(total=4)
    async with ingest.lowtide as lowtide:
        await post_lanes(lowtide, LANES, tally, gate=OpenGate())
    return tally


async def test_lanes_are_posted_in_sequence_and_counted() -> None:
    ingest = Ingest()
    tally = await post(ingest)
    assert ingest.seen == {1: [10, 11, 12], 2: [20]}
    assert tally == Tally(total=4, posted=4, accepted=4)
    assert tally.progress == 1.0


async def test_a_batch_is_posted_again_before_the_next_one_until_it_is_taken() -> None:
    refusals = iter([503, 0, 502])

    def answer(events: list[int]) -> httpx.Response:
        status = next(refusals, None) if events[0] == 10 else None
        if status == 0:
            raise httpx.ReadError("connection reset")
        return taken(events) if status is None else httpx.Response(status)

    ingest = Ingest(answer)
    tally = await post(ingest)
    assert ingest.seen[1] == [10, 11] * 4 + [12]
    assert (tally.accepted, tally.repeated) == (4, 3)


async def test_events_are_counted_by_what_became_of_them() -> None:
    def answer(events: list[int]) -> httpx.Response:
        if events == [12]:
            return httpx.Response(422, json={"errors": [{"index": 0}, {"index": 0}]})
        if events == [20]:
            return httpx.Response(
                202, json={"accepted": 0, "ignored": 1, "quarantined": 0, "rejected": []}
            )
        rejected = [{"index": 1, "field": "sku"}, {"index": 1, "field": "quantity"}]
        return httpx.Response(
            202, json={"accepted": 0, "ignored": 0, "quarantined": 1, "rejected": rejected}
        )

    tally = await post(Ingest(answer))
    assert tally == Tally(total=4, posted=4, ignored=1, quarantined=1, rejected=2)


async def test_an_answer_that_no_repetition_changes_ends_the_run() -> None:
    with pytest.raises(RefusedError, match="401 no such key"):
        await post(Ingest(lambda _: httpx.Response(401, text="no such key")))


async def test_patience_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lowtide_module, "PATIENCE_S", 0.0)
    with pytest.raises(TimeoutError, match="503"):
        await post(Ingest(lambda _: httpx.Response(503)))


async def test_lists_are_read_to_their_last_page() -> None:
    pages = {None: ([1, 2], "a"), "a": ([3], None)}

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.params["state"] == "all"
        items, cursor = pages[request.url.params.get("cursor")]
        return httpx.Response(
            200, json={"items": [{"id": item} for item in items], "next_cursor": cursor}
        )

    transport = httpx.MockTransport(answer)
    async with Lowtide({"alerting": "http://alerting"}, "token", transport=transport) as lowtide:
        items = [item["id"] async for item in lowtide.items("alerting", "/v1/alerts", state="all")]
    assert items == [1, 2, 3]


def test_a_batch_is_due_when_its_first_event_happened_at_that_speed() -> None:
    pace = Pace(speed=3_600, begin=datetime(2010, 12, 1, 10, tzinfo=UTC))
    assert pace.due_s(batch(1)) == 2.0
