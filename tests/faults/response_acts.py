"""What befalls alerting and notifier: at every seam of what they do, and beside it.

`WORKS` are what a role does, and how it is seen from outside; each is killed, and loses its
connection, at each of its seams. The rest befalls destinations, connections and whole processes.
"""

import random
import struct
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import NamedTuple

from services.alerting.store.outbox import NOTICES
from services.notifier.store.responses import RESPONSES as ANSWERS
from shared.events.alert_responses import TOPIC as RESPONSES
from shared.events.stock_alerts import TOPIC as ALERTS
from shared.testing.mailbox import Mailbox
from shared.testing.vendor import FakeVendor, Fault
from shared.testing.wecom_app import CHANGE, SEND
from tests.faults.between import Between, Mark, Seam, at
from tests.faults.response_scene import NAMES, Go, Scene
from tests.faults.response_traffic import Outside, Traffic, some_time

LEASE_OVER_S = 7
SESSION_OVER_S = 13
LEAST_S = 10
SHORT_RUN_S = 30
"""A shorter run leaves out what waits for a session or a lease to lapse."""


class Work(NamedTuple):
    """Something that a role does, how it is seen, and what brings it about."""

    role: str
    marked: Callable[[str], Mark]
    """For a prefix of topics."""
    go: Go
    seams: tuple[Seam, ...] = (Seam.COMMIT, Seam.COMMITTED)


def says(*words: bytes) -> Callable[[str], Mark]:
    return lambda _: lambda said: any(word in said for word in words)


def tells(topic: str) -> Callable[[str], Mark]:
    return lambda prefix: lambda sent: f"{prefix}{topic}".encode() in sent


def events(*names: str) -> Callable[[str], Mark]:
    return says(*(f'"event":"{name}"'.encode() for name in names))


def relays(lock: int) -> Callable[[str], Mark]:
    return says(struct.pack(">i", lock))


SENDING = (Seam.PUBLISH, Seam.PUBLISHED)
WORKS = {
    "levels heard": Work(
        "alerting consume", events("opened", "level_changed", "resolved"), Traffic.levels
    ),
    "answers heard": Work("alerting consume", events("acknowledged"), Traffic.press),
    "timers followed": Work("alerting tick", events("reminded", "escalated"), Traffic.lateness),
    "notices relayed": Work("alerting tick", tells(ALERTS), Traffic.levels, SENDING),
    "notices taken off": Work("alerting tick", relays(NOTICES.lock), Traffic.levels),
    "deliveries recorded": Work("notifier consume", says(b'"alert_id":'), Traffic.levels),
    "answers relayed": Work("notifier consume", tells(RESPONSES), Traffic.press, SENDING),
    "answers taken off": Work("notifier consume", relays(ANSWERS.lock), Traffic.press),
    "attempt begun": Work(
        "notifier send", says(b'"msgtype"', b'"type":"stock.alert.', b"Message-ID"), Traffic.levels
    ),
    "outcome noted": Work("notifier send", says(b"accepted"), Traffic.levels),
}

Act = Callable[[Scene], Awaitable[None]]


def at_seam(work: Work, seam: Seam, act: Callable[[Between], None]) -> Act:
    async def done(scene: Scene) -> None:
        ways = scene.ways[work.role]

        async def go_on() -> None:
            await work.go(scene.traffic)
            await some_time(lambda: any(way.seams.reached.is_set() for way in ways))

        await at(ways, seam, work.marked(scene.prefix), act, go_on)

    return done


def passed(_: Between) -> None:
    """Do nothing: the connection is lost there, whoever it was."""


class Addressee(NamedTuple):
    """Whom a sender writes to, by requests of one kind (`key`), and what brings them about."""

    destination: str
    of: Callable[[Outside], FakeVendor | Mailbox]
    key: str | None = None
    go: Go = Traffic.levels

    async def has(self, scene: Scene, fault: Fault) -> None:
        """Let a request go wrong, and wait for it.

        One that is refused anyway has no answer that could be lost: then it is the next one's turn.
        """
        other = self.of(scene.traffic.outside)
        before = other.hung, other.answers_lost
        if isinstance(other, Mailbox):
            if fault is Fault.HANG:
                other.hang()
            else:
                other.lose_answer()
        while (other.hung, other.answers_lost) == before:
            if isinstance(other, FakeVendor):
                other.relent()
                other.order(fault, key=self.key)
            await self.go(scene.traffic)
            await some_time(lambda: (other.hung, other.answers_lost) != before)


BOT = Addressee("bot", lambda outside: outside.bot)
APP = Addressee("app", lambda outside: outside.app, SEND)
CARDS = Addressee("app", lambda outside: outside.app, CHANGE, Traffic.press)
MAIL = Addressee("post", lambda outside: outside.mailbox)
HOOK = Addressee("hook", lambda outside: outside.receiver)
INGEST = Addressee("", lambda outside: outside.ingest, go=Traffic.order)
ADDRESSEES = {"bot": BOT, "app": APP, "app's cards": CARDS, "mail": MAIL, "hook": HOOK}


def killed_inside(addressee: Addressee, fault: Fault) -> Act:
    """Kill the sender while the answer is held."""

    async def act(scene: Scene) -> None:
        await addressee.has(scene, fault)
        number = await scene.traffic.sender_of(addressee.destination)
        scene.ways["notifier send"][number].kill()

    return act


def answer_lost(addressee: Addressee) -> Act:
    return lambda scene: addressee.has(scene, Fault.LOSE_ANSWER)


def killed_inside_a_call(fault: Fault) -> Act:
    """Kill both of those who may have made it, while ingest holds its answer."""

    async def act(scene: Scene) -> None:
        await INGEST.has(scene, fault)
        for way in scene.ways["alerting tick"]:
            way.kill()

    return act


def away(which: str, role: str) -> Act:
    async def act(scene: Scene) -> None:
        for way in scene.ways[role]:
            await (way.database if which == "database" else way.broker).cut()
        await scene.goes_on(Traffic.levels, seconds=1)
        for way in scene.ways[role]:
            await (way.database if which == "database" else way.broker).restore()

    return act


def reset(role: str) -> Act:
    async def act(scene: Scene) -> None:
        for _ in range(3):
            for way in scene.ways[role]:
                way.database.reset()
                way.broker.reset()
            await scene.goes_on(Traffic.levels, seconds=0.3)

    return act


async def sent_home(scene: Scene) -> None:
    """End all of the roles' sessions, as a restart of the database does."""
    await scene.traffic.levels()
    await scene.traffic.tables.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = ANY($1)",
        NAMES,
    )


def paused(role: str, seconds: float) -> Act:
    async def act(scene: Scene) -> None:
        way = scene.traffic.chance.choice(scene.ways[role])
        async with way.paused():
            await scene.goes_on(Traffic.levels, seconds=seconds)

    return act


def without_one(role: str) -> Act:
    """Let the other have all for a while: once it has gone, and once it is back, they deal anew."""

    async def act(scene: Scene) -> None:
        way = scene.traffic.chance.choice(scene.ways[role])
        async with way.away():
            await scene.goes_on(Traffic.levels, seconds=1)

    return act


SLOW: dict[str, Act] = {
    f"{role} outsleeps its session": paused(role, SESSION_OVER_S)
    for role in ("alerting consume", "notifier consume")
} | {"notifier send outsleeps its lease": paused("notifier send", LEASE_OVER_S)}
ACTS: dict[str, Act] = {
    **{
        f"{work}, killed at: {seam}": at_seam(WORKS[work], seam, Between.kill)
        for work in WORKS
        for seam in WORKS[work].seams
    },
    **{
        f"{work}, connection lost at: {seam}": at_seam(WORKS[work], seam, passed)
        for work in WORKS
        for seam in WORKS[work].seams
    },
    **{
        f"{name}, killed before it has it": killed_inside(addressee, Fault.HANG)
        for name, addressee in ADDRESSEES.items()
    },
    **{
        f"{name}, killed once it has it": killed_inside(ADDRESSEES[name], Fault.ACCEPT_AND_HANG)
        for name in ADDRESSEES.keys() - {"mail"}
    },
    **{f"{name}, answer lost": answer_lost(each) for name, each in ADDRESSEES.items()},
    "ingest, killed before it has it": killed_inside_a_call(Fault.HANG),
    "ingest, killed once it has it": killed_inside_a_call(Fault.ACCEPT_AND_HANG),
    "ingest, answer lost": answer_lost(INGEST),
    **{f"database away from {role}": away("database", role) for role in NAMES},
    **{f"broker away from {role}": away("broker", role) for role in NAMES[:3]},
    **{f"connections of {role} reset": reset(role) for role in NAMES},
    **{f"one {role} less": without_one(role) for role in NAMES},
    "all sessions ended": sent_home,
    "alerting tick paused": paused("alerting tick", 2),
    **SLOW,
}


def schedule(chance: random.Random, seconds: float) -> Iterator[str]:
    """Yield what happens: everything in some order, again and again, until time is up."""
    names = sorted(ACTS if seconds >= SHORT_RUN_S else ACTS.keys() - SLOW)
    until_at = time.monotonic() + seconds
    while True:
        for name in chance.sample(names, len(names)):
            yield name
            if time.monotonic() > until_at:
                return
