"""`make bench-ledger`: stock changes per second from topic to published levels, beside peers.

A pre-filled topic is drained by the real consumer, after a warm-up until the broker has
acknowledged the last level; then the same server does the same with less and less of the ledger.
Ratios are of one repetition, on one server: ledger ÷ peer, and harder work ÷ plain work.
"""

import argparse
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from shared.testing.stack import migrated_template, running_stack
from tests.bench import history, peers
from tests.bench.drain import Drain, make_levels, rewind
from tests.bench.fill import Kind
from tests.bench.ground import Ground
from tests.bench.mix import RESERVATIONS
from tests.bench.report import Values, last_line, tell
from tests.bench.reserving import reserving
from tests.bench.running import run
from tests.bench.workload import Distribution

SECONDS, CALIBRATION_CHANGES = 12.0, 300_000
SHORT_SECONDS, SHORT_CALIBRATION_CHANGES, SHORT_HISTORY = 2.0, 60_000, 200_000
_ZIPF_SPARE = 1.2
"""Zipf drains faster than uniform does: a batch touches half as many levels."""

_MIX_SPARE = 0.8
_MIX_GOAL = 0.7
"""Of the plain speed: what the mix should come to, and so what reservations are a share of."""
_PEER_SHARE, _SMALL_PEER_SHARE = 1 / 2, 1 / 8
"""Of a drain's time, for the bare transaction and for the others: indexes are smaller when a peer
ends sooner, so what this saves is in the peers' favour."""

Measured = tuple[Values, Values]
"""Figures and ratios."""


async def uniform(ground: Ground, _: int) -> Measured:
    """50,000 levels, each as busy as the others; two workers, one, and one in each of two."""
    prefix, count = await ground.uniform()
    two = await ground.plain()
    async with ground.database() as database:
        one = await ground.drained(database, prefix, count, workers=1)
    async with ground.database() as database:
        apart = await ground.drained(database, prefix, count, workers=1, processes=2)
    bare = await _batch_transaction(ground, "uniform", two)
    return {
        "changes_per_s_uniform": two.changes_per_s,
        "changes_per_s_uniform_1_worker": one.changes_per_s,
        "changes_per_s_uniform_2_processes": apart.changes_per_s,
        "batch_txn_changes_per_s": bare,
        "shortest_drain_s": min(two.seconds, one.seconds, apart.seconds),
    }, {
        "batch_txn_1_worker": one.changes_per_s / bare,
        "batch_txn_2_workers": two.changes_per_s / bare,
        "batch_txn_2_processes": apart.changes_per_s / bare,
    }


async def zipf(ground: Ground, _: int) -> Measured:
    """Some of the levels far busier than the others."""
    count = ground.enough((await ground.plain()).changes_per_s, _ZIPF_SPARE)
    async with ground.filled("zipf", count, seed=3) as prefix, ground.database() as database:
        done = await ground.drained(database, prefix, count)
    bare = await _batch_transaction(ground, "zipf", done)
    return {
        "changes_per_s_zipf": done.changes_per_s,
        "batch_txn_zipf_changes_per_s": bare,
    }, {"batch_txn_zipf": done.changes_per_s / bare}


async def smaller_peers(ground: Ground, _: int) -> Measured:
    """COPY, `pgbench` and one transaction per event."""
    speed = (await ground.plain()).changes_per_s
    seconds = max(SHORT_SECONDS, ground.seconds * _SMALL_PEER_SHARE)
    async with ground.database() as database:
        copied = await peers.copy_with_primary_key(database, seconds)
        tpcb = await peers.pgbench(ground.stack, database, seconds)
        single = await peers.transaction_per_event(database, "uniform", seconds)
    tell(f"  COPY {copied:,.0f} rows/s, TPC-B {tpcb:,.0f}/s, one by one {single:,.0f}/s")
    return {
        "copy_pk_rows_per_s": copied,
        "pgbench_tpcb_tps": tpcb,
        "per_event_txn_changes_per_s": single,
    }, {
        "copy_pk": speed / copied,
        "pgbench_tpcb": speed / tpcb,
        "per_event_txn": speed / single,
    }


async def mix(ground: Ground, _: int) -> Measured:
    """Counts, repeats and reservations; then orders, transfers and holds as well."""
    plain = (await ground.plain()).changes_per_s
    mixed = await _mixed(ground, "mix", plain)
    everything = await _mixed(ground, "mix_all", plain)
    return {
        "changes_per_s_mix": mixed.changes_per_s,
        "changes_per_s_mix_all": everything.changes_per_s,
    }, {
        "mix_vs_plain": mixed.changes_per_s / plain,
        "mix_all_vs_plain": everything.changes_per_s / plain,
    }


async def _mixed(ground: Ground, kind: Kind, plain: float) -> Drain:
    count = ground.enough(plain, _MIX_SPARE)
    async with (
        ground.filled(kind, count, seed=4) as prefix,
        ground.database() as database,
        reserving(ground.stack, database, prefix, plain * _MIX_GOAL * RESERVATIONS) as beside,
    ):
        return await ground.drained(database, prefix, count, beside=beside)


async def rewound(ground: Ground, _: int) -> Measured:
    """All changes told again by a channel that was rewound: nothing but repeats."""
    prefix, count = await ground.uniform()
    async with ground.database() as database:
        first = await ground.drained(database, prefix, count)
        await rewind(database)
        again = await ground.drained(database, prefix, count)
    return {"changes_per_s_rewind": again.changes_per_s}, {
        "rewind_vs_plain": again.changes_per_s / first.changes_per_s
    }


async def past(ground: Ground, movements: int) -> Measured:
    """The plain drain on top of 10 million movements of the last 30 days."""
    prefix, count = await ground.uniform()
    plain = (await ground.plain()).changes_per_s
    async with ground.database() as database:
        await make_levels(database)
        await history.add_history(database.url("ledger"), movements)
        await history.settle(database.administrator_url)
        done = await ground.drained(database, prefix, count)
    return {"changes_per_s_history_10m": done.changes_per_s}, {
        "history_10m_vs_fresh": done.changes_per_s / plain
    }


async def identity(ground: Ground, movements: int) -> Measured:
    """The plain drain with three full identity periods before the current one."""
    prefix, count = await ground.uniform()
    plain = (await ground.plain()).changes_per_s
    async with ground.database() as database:
        await history.add_identities(database.url("ledger"), movements // 5)
        await history.settle(database.administrator_url)
        done = await ground.drained(database, prefix, count)
    return {"changes_per_s_identity_90d": done.changes_per_s}, {
        "identity_90d_vs_none": done.changes_per_s / plain
    }


PARTS: dict[str, Callable[[Ground, int], Awaitable[Measured]]] = {
    "uniform": uniform,
    "zipf": zipf,
    "peers": smaller_peers,
    "mix": mix,
    "rewind": rewound,
    "history": past,
    "identity": identity,
}
"""By name; each takes how many movements of history there should be."""


async def _batch_transaction(ground: Ground, distribution: Distribution, like: Drain) -> float:
    async with ground.database() as database:
        rate, levels = await peers.batch_transaction(
            database, distribution, round(like.records_per_batch), ground.seconds * _PEER_SHARE
        )
    tell(f"  bare batch transaction: {rate:,.0f} changes/s, {levels:,.0f} levels a batch")
    return rate


async def bench(given: argparse.Namespace) -> str:
    """Return the last line."""
    seconds, calibration, movements = given.seconds, CALIBRATION_CHANGES, given.history
    if given.short:
        seconds, calibration = SHORT_SECONDS, SHORT_CALIBRATION_CHANGES
        movements = SHORT_HISTORY
    done: list[Measured] = []
    for number in range(1, given.repetitions + 1):
        tell(f"repetition {number} of {given.repetitions}")
        with running_stack() as stack:
            template = await migrated_template(stack)
            async with Ground(stack, template, seconds, calibration, given.profile) as ground:
                done.append(await _measured(ground, given.only or [*PARTS], movements))
    figures, ratios = zip(*done, strict=True)
    return last_line("ledger", figures, ratios, short=given.short)


async def _measured(ground: Ground, parts: Sequence[str], movements: int) -> Measured:
    figures: Values = {}
    ratios: Values = {}
    for part in parts:
        tell(f"{part}: {PARTS[part].__doc__}")
        more, further = await PARTS[part](ground, movements)
        figures |= more
        ratios |= further
    return figures, ratios


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.ledger", description=__doc__)
    parser.add_argument("--only", choices=PARTS, nargs="+", help="some of the parts")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="length of each drain")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument("--history", type=int, default=history.MOVEMENTS, help="movements before")
    parser.add_argument("--short", action="store_true", help="a few seconds: does it work at all")
    parser.add_argument("--profile", type=Path, help="where cProfile writes the last drain")
    run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
