"""`make bench-ledger`: stock changes per second from topic to published levels, beside peers.

A pre-filled topic is drained by the real consumer into a fresh database, from the 4 % mark until
the broker has acknowledged the last level; then the same server does the same with less and less
of the ledger. Ratios are ledger ÷ peer of one repetition, on one server.
"""

import argparse
import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from deploy.local.instance import REPOSITORY
from shared.testing.stack import (
    Database,
    Stack,
    fresh_database,
    fresh_topics,
    migrated_template,
    running_stack,
)
from tests.bench import peers
from tests.bench.drain import WARM_UP_SHARE, Drain, drain
from tests.bench.report import Values, last_line, tell
from tests.bench.workload import Distribution

CALIBRATION_CHANGES = 300_000
SHORT_SECONDS = 2.0
SHORT_CALIBRATION_CHANGES = 60_000
_SPARE = 1.35
"""More changes than the last measured speed asks for: no drain should end before its time."""

_ZIPF_SPARE = 1.6
"""Zipf drains faster than uniform does: a batch touches half as many levels."""

_PEER_SHARE, _SMALL_PEER_SHARE = 1 / 2, 1 / 8
"""Of a drain's time, for the bare transaction and for the others: indexes are smaller when a peer
ends sooner, so what this saves is in the peers' favour."""


@dataclass
class Repetition:
    """One run of everything on one server."""

    stack: Stack
    template: str
    seconds: float
    calibration: int
    profile: Path | None
    figures: Values = field(default_factory=dict)
    ratios: Values = field(default_factory=dict)

    async def run(self) -> None:
        """Measure all figures and ratios."""
        speed = await self._calibrated()
        count = int(self.seconds * speed * _SPARE / (1 - WARM_UP_SHARE))
        async with self._filled("uniform", count, seed=2) as prefix:
            two = await self._drained(prefix, count, workers=2)
            one = await self._drained(prefix, count, workers=1)
        bare = await self._batch_transaction("uniform", two)
        count = int(self.seconds * two.changes_per_s * _ZIPF_SPARE / (1 - WARM_UP_SHARE))
        async with self._filled("zipf", count, seed=3) as prefix:
            zipf = await self._drained(prefix, count, workers=2)
        bare_zipf = await self._batch_transaction("zipf", zipf)
        self.figures |= {
            "changes_per_s_uniform": two.changes_per_s,
            "changes_per_s_uniform_1_worker": one.changes_per_s,
            "changes_per_s_zipf": zipf.changes_per_s,
            "batch_txn_changes_per_s": bare,
            "batch_txn_zipf_changes_per_s": bare_zipf,
            "shortest_drain_s": min(two.seconds, one.seconds, zipf.seconds),
        }
        self.ratios |= {
            "batch_txn_1_worker": one.changes_per_s / bare,
            "batch_txn_2_workers": two.changes_per_s / bare,
            "batch_txn_zipf": zipf.changes_per_s / bare_zipf,
        }
        await self._compare_with_smaller_peers(two.changes_per_s)

    async def _compare_with_smaller_peers(self, speed: float) -> None:
        seconds = max(SHORT_SECONDS, self.seconds * _SMALL_PEER_SHARE)
        async with self._database() as database:
            copied = await peers.copy_with_primary_key(database, seconds)
            tpcb = await peers.pgbench(self.stack, database, seconds)
            single = await peers.transaction_per_event(database, "uniform", seconds)
        tell(f"  COPY {copied:,.0f} rows/s, TPC-B {tpcb:,.0f}/s, one by one {single:,.0f}/s")
        self.figures |= {
            "copy_pk_rows_per_s": copied,
            "pgbench_tpcb_tps": tpcb,
            "per_event_txn_changes_per_s": single,
        }
        self.ratios |= {
            "copy_pk": speed / copied,
            "pgbench_tpcb": speed / tpcb,
            "per_event_txn": speed / single,
        }

    async def _calibrated(self) -> float:
        """Return about how many changes a second are drained; warms the servers up, too."""
        async with self._filled("uniform", self.calibration, seed=1) as prefix:
            return (await self._drained(prefix, self.calibration, workers=2)).changes_per_s

    async def _drained(self, prefix: str, count: int, workers: int) -> Drain:
        async with self._database() as database:
            done = await drain(
                self.stack, database, prefix, count, workers=workers, profile=self.profile
            )
        tell(
            f"  {workers} workers: {done.changes_per_s:,.0f} changes/s over {done.seconds:.1f} s; "
            f"a batch: {done.records_per_batch:,.0f} changes, {done.levels_per_batch:,.0f} levels; "
            f"{done.processors}"
        )
        return done

    async def _batch_transaction(self, distribution: Distribution, like: Drain) -> float:
        async with self._database() as database:
            rate, levels = await peers.batch_transaction(
                database,
                distribution,
                round(like.records_per_batch),
                self.seconds * _PEER_SHARE,
            )
        tell(f"  bare batch transaction: {rate:,.0f} changes/s, {levels:,.0f} levels a batch")
        return rate

    @asynccontextmanager
    async def _filled(
        self, distribution: Distribution, count: int, seed: int
    ) -> AsyncIterator[str]:
        tell(f"{distribution}: {count:,} changes")
        async with fresh_topics(self.stack) as prefix:
            argv = [sys.executable, "-m", "tests.bench.fill", self.stack.bootstrap, prefix]
            await asyncio.to_thread(
                subprocess.run,
                [*argv, distribution, str(count), str(seed)],
                cwd=REPOSITORY,
                check=True,
                stdout=sys.stderr,
            )
            yield prefix

    @asynccontextmanager
    async def _database(self) -> AsyncIterator[Database]:
        async with fresh_database(self.stack, self.template) as database:
            yield database


async def bench(seconds: float, calibration: int, repetitions: int, profile: Path | None) -> str:
    """Return the last line."""
    done = []
    for number in range(1, repetitions + 1):
        tell(f"repetition {number} of {repetitions}")
        with running_stack() as stack:
            template = await migrated_template(stack)
            repetition = Repetition(stack, template, seconds, calibration, profile)
            await repetition.run()
            done.append(repetition)
    return last_line("ledger", [each.figures for each in done], [each.ratios for each in done])


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ledger", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="length of each drain")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--short", action="store_true", help="a few seconds: does it work at all")
    parser.add_argument("--profile", type=Path, help="where cProfile writes the last drain")
    given = parser.parse_args()
    if given.short:
        seconds, calibration = SHORT_SECONDS, SHORT_CALIBRATION_CHANGES
    else:
        seconds, calibration = given.seconds, CALIBRATION_CHANGES
    print(uvloop.run(bench(seconds, calibration, given.repetitions, given.profile)))


if __name__ == "__main__":
    main()
