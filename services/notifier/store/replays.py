"""Sending again what died: one delivery, or what died at a destination; and who asked for it."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.deliveries import State
from services.notifier.domain.replays import AGAIN, LATER
from services.notifier.store import dead_letters
from services.notifier.store.dead_letters import Became, Judged, Sought, Stretch
from services.notifier.store.wakeups import wake_senders
from shared.database.audit import Doer
from shared.errors import LowtideError

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))")

_BY_KEY = text("SELECT asked, became FROM replay WHERE request_key = :key")

_NOTE = text("""
INSERT INTO replay (at, actor, address, via, request_key, asked, became, deliveries)
VALUES (:at, :actor, :address, :via, :key, CAST(:asked AS jsonb), CAST(:became AS jsonb),
        CAST(:deliveries AS uuid[]))
""")

_NOTED = text("""
SELECT id, at, actor, address, via, asked, became, deliveries
FROM replay
WHERE CAST(:before AS uuid) IS NULL OR id < :before
ORDER BY id DESC
LIMIT :limit
""")


class KeyReused(LowtideError):  # noqa: N818 - a state, not a mistake
    """The Idempotency-Key has asked for something else before."""


class Replay(NamedTuple):
    """Who had what sent again; `asked` are the conditions, or the one delivery."""

    id: UUID
    at: datetime
    actor: str
    address: str | None
    via: str | None
    asked: dict[str, object]
    became: dict[str, int]
    deliveries: list[UUID]


async def replay(
    connection: AsyncConnection, sought: Sought, doer: Doer, *, most: int, key: str | None
) -> Became:
    """Have what died at a destination sent again, the oldest `most` of it.

    The same key returns what it returned before. Raises KeyReused for a key of something else.
    """
    asked = {name: _plain(value) for name, value in sought._asdict().items()} | {"limit": most}
    if key is not None:
        await connection.execute(_LOCK, {"key": key})
        before = (await connection.execute(_BY_KEY, {"key": key})).one_or_none()
        if before is not None:
            if before.asked != asked:
                raise KeyReused(key)
            return Became(**before.became)
    found, judged = await dead_letters.look(connection, sought, most)
    became = judged.became(found)
    await dead_letters.carry_out(connection, judged, doer.at)
    await _note(connection, doer, asked, became, judged, key)
    await wake_senders(connection, [sought.destination])
    return became


async def preview(connection: AsyncConnection, sought: Sought, *, most: int) -> Became:
    """Return what `replay` would do, and do nothing."""
    found, judged = await dead_letters.look(connection, sought, most)
    return judged.became(found)


STRETCH = 500
"""Deliveries that are judged, and so locked, together."""

FIRST = Stretch(digests=True, limit=STRETCH)
"""What is in digests counts as being told, so whether it is comes before all else."""


async def resume(
    connection: AsyncConnection, destination: str, now: datetime, stretch: Stretch
) -> Stretch | None:
    """Judge a stretch of what waited while a destination was disabled; returns the next one.

    It may have waited for long, so it is judged like what died, and goes out if it still tells
    something. To be called with one `now` from FIRST on before the destination is enabled, and for
    the rest as it is: may be broken off and begun anew anywhere before.
    """
    waited = await dead_letters.waited(connection, destination, now, stretch)
    await dead_letters.carry_out(connection, await dead_letters.judge(connection, waited), now)
    if len(waited) == stretch.limit:
        return stretch._replace(after=waited[-1].id)
    return FIRST._replace(digests=False) if stretch.digests else None


async def try_again(connection: AsyncConnection, id_: UUID, doer: Doer) -> State | None:
    """Have a dead or failed delivery tried at once; one in any other state is left as it is.

    One that failed only need not wait any longer. One that is dead is sent again if it still
    tells something, like all that is replayed; it stays dead while that is not known.
    Returns the state that it was in before, None when there is none.
    """
    row = await dead_letters.one(connection, id_)
    if row is None:
        return None
    state = State(row.state)
    if state not in {State.DEAD, State.FAILED}:
        return state
    if state is State.DEAD:
        judged = await dead_letters.judge(connection, [row])
        if judged.fates[id_] == LATER:
            return state
    else:
        judged = Judged([dead_letters.waiting(row)], {}, {id_: AGAIN})
    await dead_letters.carry_out(connection, judged, doer.at)
    await _note(connection, doer, {"delivery": str(id_)}, judged.became(1), judged, None)
    if row.destination is not None:
        await wake_senders(connection, [row.destination])
    return state


async def page(connection: AsyncConnection, *, before: UUID | None, limit: int) -> list[Replay]:
    """Return who had what sent again, the newest first."""
    rows = await connection.execute(_NOTED, {"before": before, "limit": limit})
    return [Replay(**row) for row in rows.mappings()]


async def _note(
    connection: AsyncConnection,
    doer: Doer,
    asked: dict[str, object],
    became: Became,
    judged: Judged,
    key: str | None,
) -> None:
    """Note who asked, in the transaction that does it."""
    await connection.execute(
        _NOTE,
        {
            **asdict(doer),
            "key": key,
            "asked": json.dumps(asked, ensure_ascii=False),
            "became": json.dumps(became._asdict()),
            "deliveries": [each.id for each in judged.again],
        },
    )


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
