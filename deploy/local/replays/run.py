"""Replay a file into a stack of its own, and report how that went."""

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from typing_extensions import override

from deploy.local.instance import Instance
from deploy.local.ports import LOOPBACK
from deploy.local.processes import ROLES
from deploy.local.replays import checking, notices, settling
from deploy.local.replays.declaration import load
from deploy.local.replays.group import KEY, Group
from deploy.local.replays.kills import KillDriver, Victims, schedule
from deploy.local.replays.lowtide import Json, Lowtide
from deploy.local.replays.poster import OpenGate, Pace, Tally, post_lanes
from deploy.local.replays.preparation import Prepared, prepare
from deploy.local.replays.progress import Screen
from deploy.local.replays.report import Kills, Report
from deploy.local.replays.set_up import Bot, set_up
from deploy.local.replays.source import check_readable
from deploy.local.stack import BROKER, DATABASE, LocalStack
from deploy.local.supervisor import Supervisor
from shared.http.auth import Scope

SCOPES = (
    Scope.EVENTS_WRITE,
    Scope.STOCK_READ,
    Scope.ALERTS_READ,
    Scope.ALERTS_WRITE,
    Scope.CONFIG_WRITE,
)
BATCH_WALL_S = 0.2
"""At a given speed a batch holds what happens within this time."""

RULES_IN_FORCE_S = 2.0
"""Alerting says that an edited rule is in force within a second."""


@dataclass(frozen=True)
class Options:
    """What to replay, how fast (a multiple of real time, None for as fast as it goes).

    `kill` is the seed of the schedule of kills.
    """

    file: Path
    declaration: str = "uci_online_retail"
    speed: float | None = None
    kill: int | None = None
    instance: str = "replay"


@dataclass(frozen=True)
class Outcome:
    """The report, and what must not be, each with an example or two."""

    report: Report
    failures: tuple[str, ...]


class Supervised(Victims):
    """The processes of a stack as victims."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    @override
    def pid(self, process: str) -> int | None:
        return self._supervisor.child(process).pid

    @override
    def restarts(self, process: str) -> int:
        return sum(restart.name == process for restart in self._supervisor.restarts)

    @override
    def log_tail(self, process: str) -> str:
        return self._supervisor.child(process).log_tail()

    @override
    async def kill(self, process: str) -> None:
        await self._supervisor.kill(process)

    @override
    async def recovered(self, process: str, *, restarts: int, limit_s: float) -> None:
        await self._supervisor.recovered(process, restarts=restarts, limit_s=limit_s)


async def replay(options: Options, screen: Screen) -> Outcome:
    """Start the stack, post the file, wait until all is quiet, check, and end the stack.

    Raises UnreadableFileError, RefusedError, NeverSettledError, TimeoutError, and whatever
    keeps the stack from starting.
    """
    check_readable(options.file)
    instance = Instance.named(options.instance)
    group = Group(instance.folder / "group.jsonl")
    async with AsyncExitStack() as running, asyncio.TaskGroup() as tasks:
        screen.line(f"reading and recounting {options.file}")
        preparing = tasks.create_task(asyncio.to_thread(_prepare, options))
        bot = Bot(KEY, await running.enter_async_context(group.listening()))
        screen.line(f"starting the stack `{options.instance}`")
        stack = await running.enter_async_context(
            LocalStack(
                options.instance,
                database="replay",
                topic_prefix="replay.",
                environment={"LOWTIDE_CLOCK": "event"},
            )
        )
        lowtide = await running.enter_async_context(_lowtide(stack))
        prepared = await preparing
        run = _Run(options, screen, stack, lowtide, prepared, group)
        outcome = await run.carry_out(bot)
    screen.line("the stack has ended; its data stays for a second run")
    return outcome


def _prepare(options: Options) -> Prepared:
    span = None if options.speed is None else timedelta(seconds=options.speed * BATCH_WALL_S)
    return prepare(options.file, load(options.declaration), span=span)


def _lowtide(stack: LocalStack) -> Lowtide:
    urls = {name: stack.url(name) for name in ("ingest", "ledger", "alerting", "notifier")}
    urls["ingest-consume"] = f"http://{LOOPBACK}:{stack.surroundings.ports['ingest-consume']}"
    return Lowtide(urls, stack.token(*SCOPES))


@dataclass
class _Run:
    options: Options
    screen: Screen
    stack: LocalStack
    lowtide: Lowtide
    prepared: Prepared
    group: Group

    async def carry_out(self, bot: Bot) -> Outcome:
        prepared, screen, lowtide = self.prepared, self.screen, self.lowtide
        await set_up(lowtide, prepared.declaration, prepared.catalogue, bot)
        await asyncio.sleep(RULES_IN_FORCE_S)
        before = await lowtide.get("ledger", "/v1/summary")
        if before["movements"]:
            screen.line(f"the ledger has {before['movements']:,} movements of an earlier run")
        tally = Tally(prepared.recount.events)
        screen.line(f"posting {tally.total:,} events")
        began = time.monotonic()
        kills = await self._post(tally)
        again = f", {tally.repeated} requests more than once" if tally.repeated else ""
        screen.line(f"posted after {time.monotonic() - began:.1f} s{again}")
        seconds = await settling.caught_up(lowtide, screen.line) - began
        screen.line(f"all consumers caught up after {seconds:.1f} s")
        await settling.notices_out(lowtide, screen.line)
        if kills is None:
            for restart in self.stack.supervisor.restarts:
                screen.line(
                    f"{restart.name} ended by itself (exit code {restart.exit_code}) "
                    f"and was back after {restart.down_s:.1f} s"
                )
        screen.line("every notice is out; comparing with the recount")
        return await self._judge(tally, before, seconds, kills)

    async def _post(self, tally: Tally) -> Kills | None:
        """Post everything, with the kills that were asked for."""
        lanes, seed = self.prepared.lanes, self.options.kill
        speed = self.options.speed
        pace = None if speed is None else Pace(speed, self.prepared.begin)
        async with self.screen.posting(tally):
            if seed is None:
                await post_lanes(self.lowtide, lanes, tally, gate=OpenGate(), pace=pace)
                return None
            processes = [BROKER, DATABASE, *(role.name for role in ROLES)]
            self.screen.line(f"killing with seed {seed}")
            driver = KillDriver(
                schedule(seed, processes),
                Supervised(self.stack.supervisor),
                tally,
                self.screen.line,
            )
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(driver.run())
                tasks.create_task(post_lanes(self.lowtide, lanes, tally, gate=driver, pace=pace))
            return Kills.of(seed, processes, driver.kills)

    async def _judge(
        self, tally: Tally, before: Json, seconds: float, kills: Kills | None
    ) -> Outcome:
        prepared, lowtide = self.prepared, self.lowtide
        declaration, expected = prepared.declaration, prepared.recount
        ledger = await lowtide.get("ledger", "/v1/summary")
        alerting = await lowtide.get("alerting", "/v1/alerts/totals")
        levels = await checking.check_levels(lowtide, expected, declaration.shop.warehouse)
        episodes = await checking.read_episodes(lowtide)
        subjects = checking.check_subjects(episodes, expected, declaration)
        notified = await notices.check_notices(lowtide, episodes, self.group.messages)
        report = Report(
            events=expected.events,
            accepted=tally.accepted,
            ignored=tally.ignored,
            ignored_expected=expected.ignored,
            quarantined=tally.quarantined,
            rejected=tally.rejected,
            rejected_expected=expected.contradictory,
            movements=ledger["movements"],
            movements_expected=expected.identities,
            duplicates=ledger["repeats"] - before["repeats"],
            duplicates_expected=expected.duplicates + before["movements"],
            seconds=round(seconds, 1),
            events_per_second=round(expected.events / seconds, 1),
            alerts=alerting["opened"],
            episodes=len(episodes),
            resolved=sum(episode.is_resolved for episode in episodes),
            reopened=checking.reopened(episodes),
            subjects_alerted=subjects.alerted,
            subjects_expected=subjects.expected,
            subjects_differing=len(subjects.differing),
            notices_sent=notified.sent,
            notices_merged=notified.merged,
            episodes_unreached=len(notified.unreached),
            messages_refused=self.group.rejected,
            levels_checked=levels.checked,
            levels_mismatched=len(levels.mismatched),
            kills=kills,
        )
        failures = report.failures(requests_repeated=tally.repeated)
        if ledger["rejected"]:
            failures.append(f"the ledger has rejected changes: {ledger['rejected']}")
        if notified.repeated:
            failures.append(f"{len(notified.repeated)} notices came twice without a mark")
        for examples in (
            levels.mismatched,
            subjects.differing,
            notified.unreached,
            notified.repeated,
        ):
            failures += examples[: checking.EXAMPLES]
        return Outcome(report, tuple(failures))
