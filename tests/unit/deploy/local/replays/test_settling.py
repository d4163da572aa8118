from collections.abc import Mapping
from itertools import chain, repeat

import httpx
import pytest

from deploy.local.replays import settling
from deploy.local.replays.lowtide import Lowtide
from deploy.local.replays.settling import NeverSettledError, caught_up, notices_out

QUIET: Mapping[str, int] = {
    "ledger": 0,
    "alerting": 0,
    "outbox": 0,
    "notifier": 0,
    "quarantine": 0,
    "movements": 9,
}


class Services:
    """Answer one state after the other, the last one for ever."""

    def __init__(self, *states: Mapping[str, int | None]) -> None:
        self.looks = 0
        self._states = chain(states, repeat(states[-1]))
        self._state: Mapping[str, int | None] = {}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path == "/v1/summary":
            self.looks += 1
            self._state = {**QUIET, **next(self._states)}
        state = self._state
        answers: dict[str, object] = {
            "/v1/summary": {
                "lag_records": state.get("ledger"),
                "movements": state.get("movements"),
                "repeats": 0,
            },
            "/v1/alerts/summary": {
                "lag_records": state.get("alerting"),
                "outbox": state.get("outbox"),
            },
            "/v1/alerts/totals": {"opened": {}, "resolved": 0},
            "/v1/deliveries/summary": {"lag_records": state.get("notifier")},
        }
        if path == "/metrics":
            text, records = "# TYPE lag gauge\n", state["quarantine"]
            if records is not None:
                text += f'lowtide_lag_records{{partition="0"}} {records}\n'
            return httpx.Response(200, text=text)
        return httpx.Response(200, json=answers[path])

    @property
    def lowtide(self) -> Lowtide:
        names = ("ledger", "alerting", "notifier", "ingest-consume")
        urls = {name: f"http://{name}" for name in names}
        return Lowtide(urls, "token", transport=httpx.MockTransport(self))


def silent(_: str) -> None:
    pass


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "LOOK_S", 0.0)


async def looks_until_caught_up(*states: Mapping[str, int | None]) -> int:
    services = Services(*states)
    async with services.lowtide as lowtide:
        await caught_up(lowtide, silent)
    return services.looks


@pytest.mark.parametrize("behind", ["ledger", "alerting", "outbox", "notifier", "quarantine"])
async def test_every_consumer_is_waited_for(behind: str) -> None:
    quiet = await looks_until_caught_up(QUIET)
    assert await looks_until_caught_up({behind: 3}, {behind: 2}, {behind: 1}, QUIET) == quiet + 3


@pytest.mark.parametrize("unknown", ["ledger", "alerting", "notifier", "quarantine"])
async def test_an_unknown_lag_is_not_zero(unknown: str) -> None:
    quiet = await looks_until_caught_up(QUIET)
    assert await looks_until_caught_up({unknown: None}, QUIET) == quiet + 1


async def test_what_moves_without_lag_begins_the_quiet_anew() -> None:
    quiet = await looks_until_caught_up(QUIET)
    assert await looks_until_caught_up(QUIET, {"movements": 8}, {"movements": 7}, QUIET) == (
        quiet + 3
    )


async def test_waiting_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "LIMIT_S", 0.0)
    with pytest.raises(NeverSettledError, match="notifier lag 5"):
        await looks_until_caught_up({"notifier": 5})


async def test_notices_are_out_when_none_is_outstanding() -> None:
    states = iter([{"waiting": 2}, {"sending": 1}, {"failed": 1, "sent": 3}])
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={"by_state": next(states, {"sent": 4, "dead": 1})})

    transport = httpx.MockTransport(answer)
    async with Lowtide({"notifier": "http://notifier"}, "token", transport=transport) as lowtide:
        await notices_out(lowtide, silent)
    assert len(asked) == 4
