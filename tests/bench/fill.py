"""Fill `stock.changes` as quickly as it goes, from a process of its own."""

import argparse
import asyncio
import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Literal, get_args

import uvloop

from services.ingest.outbound.stock_changes import ChangeRecord, encode
from shared.clock import WallClock
from shared.events.stock_changes import TOPIC
from shared.kafka.messages import Message
from shared.kafka.producer import Producer
from shared.observability.tracing import HEADER, continued
from tests.bench import workload
from tests.bench.mix import mixed

Kind = Literal["uniform", "zipf", "mix", "mix_all", "levels"]
"""Of workload; `levels` has one change for each of as many levels."""

_CHUNK = 48_000
_BEFORE = timedelta(hours=3)
"""The first change happened so long ago: none may lie in the future."""


def changes(kind: Kind, count: int, seed: int) -> Iterator[tuple[int, ChangeRecord]]:
    """Yield (partition, change)."""
    start = WallClock().now() - _BEFORE
    match kind:
        case "uniform" | "zipf":
            return workload.changes(kind, count, start, seed)
        case "mix":
            return mixed(count, start, seed, committing=False)
        case "mix_all":
            return mixed(count, start, seed, committing=True)
        case "levels":
            return workload.each_level_once(count, start)


async def fill(bootstrap: str, prefix: str, kind: Kind, count: int, seed: int) -> None:
    """Publish `count` changes, keyed, partitioned and headed as ingest does it."""
    headers = ((HEADER, continued(None).encode()),)
    told = changes(kind, count, seed)
    async with Producer(bootstrap, prefix, name="bench-fill", timeout_seconds=60) as producer:
        sending: asyncio.Task[None] | None = None
        async with asyncio.TaskGroup() as group:
            while messages := [
                Message(partition, change.sku.encode(), encode(change), headers)
                for partition, change in islice(told, _CHUNK)
            ]:
                if sending is not None:
                    await sending
                sending = group.create_task(producer.send(TOPIC, messages))
                await asyncio.sleep(0)


def main() -> None:
    """Fill a topic and say how long it took."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fill", description=__doc__)
    parser.add_argument("bootstrap")
    parser.add_argument("prefix")
    parser.add_argument("kind", choices=get_args(Kind))
    parser.add_argument("count", type=int)
    parser.add_argument("seed", type=int)
    given = parser.parse_args()
    # The client complains of each retry while a new topic finds its leader.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    began = time.perf_counter()
    uvloop.run(fill(given.bootstrap, given.prefix, given.kind, given.count, given.seed))
    seconds = time.perf_counter() - began
    print(f"filled {given.count:,} in {seconds:.1f} s, {given.count / seconds:,.0f}/s")


if __name__ == "__main__":
    main()
