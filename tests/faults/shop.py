"""A whole Lowtide with a catalogue, a rule and a group, and what is asked of it from outside."""

import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import httpx

from deploy.local.ports import LOOPBACK
from deploy.local.processes import ROLES
from deploy.local.replays.group import KEY, Group
from deploy.local.replays.lowtide import Json, Lowtide
from deploy.local.replays.set_up import DESTINATION
from deploy.local.stack import LocalStack
from shared.clock import WallClock
from shared.events.stock_levels import TOPIC as STOCK_LEVELS
from shared.events.topics import TOPICS
from shared.http.auth import Scope
from shared.kafka.tail import TailReader
from shared.testing.waiting import until
from tests.faults.goods import CHANNEL, SKUS, sku_of
from tests.faults.load import Load, loading

RULE = "stock-out"
RECOVERY_LIMIT_S = 120.0


@dataclass(frozen=True)
class Readiness:
    """What a process's `/readyz` says; `status` 0 is no answer."""

    status: int
    problems: dict[str, str]


@dataclass(frozen=True)
class Published:
    """The last message of each key of `stock.levels`, and every dead letter."""

    levels: dict[str, Json]
    dead_letters: list[bytes]


@dataclass
class Shop:
    """The stack and its clients."""

    stack: LocalStack
    lowtide: Lowtide
    group: Group
    seed: int
    folder: Path
    loads: int = 0
    _probes: httpx.AsyncClient = field(default_factory=lambda: httpx.AsyncClient(timeout=10))

    async def set_up(self, group_url: str) -> None:
        """Make what every load needs."""
        put, post = self.lowtide.put, self.lowtide.post
        await put("ingest", f"/v1/channels/{CHANNEL}", {"name": "Faults", "kind": "api"})
        await post("ingest", "/v1/skus", {"items": [{"sku": sku_of(n)} for n in range(SKUS)]})
        bot = {"key": KEY, "url": group_url}
        await put(
            "notifier",
            f"/v1/destinations/{DESTINATION}",
            {"kind": "wecom_bot", "name": "Faults", "language": "en", "wecom_bot": bot},
        )
        route = {"destination": DESTINATION, "match": {}, "enabled": True}
        await put("notifier", f"/v1/routes/{DESTINATION}", route)
        rule = {
            "name": {"zh-CN": "断货", "en": "Out of stock"},
            "kind": "stock_out",
            "scope": {},
            "levels": [{"level": "out", "enter": 0, "exit": 1}],
            "pending_seconds": 0,
            "recovery_seconds": 0,
            "enabled": True,
            "labels": {},
        }
        await put("alerting", f"/v1/rules/{RULE}", rule)
        await put("alerting", "/v1/attention-policy", {"enabled": False})

    @asynccontextmanager
    async def load(self, name: str) -> AsyncIterator[Load]:
        """Post 500 events a second into a warehouse of the load's own; yields a steady load."""
        self.loads += 1
        before = await self.lowtide.get("ledger", "/v1/summary")
        warehouse = f"{name}-{self.loads}"
        await self.lowtide.put(
            "ingest", f"/v1/warehouses/{warehouse}", {"name": warehouse, "zone": "UTC"}
        )
        async with loading(
            self.stack.url("ingest"),
            self.stack.token(Scope.EVENTS_WRITE, channel=CHANNEL),
            self.folder / f"{warehouse}.jsonl",
            seed=self.seed,
            warehouse=warehouse,
            began_at=WallClock().now(),
            movements_before=before["movements"],
        ) as load:
            await load.accepted(30, since=0)
            yield load

    async def readiness(self, process: str) -> Readiness:
        """Return what a process says of itself."""
        port = self.stack.surroundings.ports[process]
        try:
            answer = await self._probes.get(f"http://{LOOPBACK}:{port}/readyz")
        except httpx.TransportError:
            return Readiness(0, {})
        # One that is just ending breaks its answers off, with a 500 that is no document.
        told = answer.status_code in {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE}
        return Readiness(answer.status_code, answer.json()["problems"] if told else {})

    async def is_red(self, process: str, word: str, *, seconds: float) -> float:
        """Wait until `/readyz` is 503 with a word among its problems; return after how long."""
        began = time.monotonic()
        last = Readiness(0, {})

        async def says_it() -> bool:
            nonlocal last
            last = await self.readiness(process)
            return last.status == 503 and any(word in each for each in last.problems.values())

        try:
            await until(says_it, seconds=seconds)
        except TimeoutError:
            raise AssertionError(f"{process} does not speak of the {word}: {last}") from None
        return time.monotonic() - began

    async def all_green(self, *, seconds: float) -> None:
        """Wait until every process is ready."""
        states: dict[str, Readiness] = {}

        async def is_so() -> bool:
            states.update({role.name: await self.readiness(role.name) for role in ROLES})
            return all(state.status == 200 for state in states.values())

        try:
            await until(is_so, seconds=seconds)
        except TimeoutError:
            red = {name: state for name, state in states.items() if state.status != 200}
            raise AssertionError(f"not ready again: {red}") from None

    async def ask(
        self, service: str, method: str, path: str, body: object = None
    ) -> httpx.Response:
        """Ask a service once, whatever it answers."""
        url = self.stack.url(service) + path
        token = self.stack.token(*Scope)
        headers = {"Authorization": f"Bearer {token}"}
        return await self._probes.request(method, url, json=body, headers=headers)

    @asynccontextmanager
    async def away(self, process: str) -> AsyncIterator[float]:
        """Kill a process, keep it away for the length of the block, and wait until it is back.

        Yields the instant of the kill, on the monotonic clock.
        """
        restarts = self.restarts()[process]
        async with self.stack.supervisor.away(process):
            yield time.monotonic()
        await self.back(process, restarts + 1)

    async def back(self, process: str, restarts: int) -> None:
        """Wait until a process has come back so often; fails with its name."""
        try:
            await self.stack.supervisor.recovered(
                process, restarts=restarts, limit_s=RECOVERY_LIMIT_S
            )
        except TimeoutError:
            raise AssertionError(f"{process} does not come back") from None

    def restarts(self) -> Counter[str]:
        """Return how often each process has come back."""
        return Counter(each.name for each in self.stack.supervisor.restarts)

    async def published(self) -> "Published":
        """Read what stands on `stock.levels` and on the dead topics."""
        surroundings = self.stack.surroundings
        dead = [name for name in TOPICS if name.endswith(".dead")]
        reader = TailReader(
            surroundings.servers.bootstrap,
            surroundings.topic_prefix,
            [STOCK_LEVELS, *dead],
            start="beginning",
        )
        found = Published({}, [])
        records = reader.records()
        async for some in records:
            for record in some:
                if record.topic == surroundings.topic_prefix + STOCK_LEVELS:
                    found.levels[(record.key or b"").decode()] = json.loads(record.value or b"")
                else:
                    found.dead_letters.append(record.value or b"")
            # There are levels always, so the list that holds the last of all comes.
            if reader.caught_up.is_set():
                break
        await records.aclose()
        return found

    async def close(self) -> None:
        """Give connections back."""
        await self._probes.aclose()
