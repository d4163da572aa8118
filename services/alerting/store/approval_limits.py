"""Who may spend how much, and so who may approve what."""

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.approval import ANYTHING, Limits, covers
from services.alerting.domain.people import Role
from services.alerting.store import people
from shared.events.stock_alerts import Recipient


class ApprovalLimit(NamedTuple):
    """The limit of a person or of a role; an amount of None is none."""

    person: str | None
    role: Role | None
    amount: Decimal | None


_TABLE = text("SELECT person, role, amount FROM approval_limit ORDER BY position")

_CLEAR = text("DELETE FROM approval_limit")

_FILL = text("""
INSERT INTO approval_limit (position, person, role, amount)
SELECT position, person, role, amount
FROM unnest(CAST(:person AS text[]), CAST(:role AS text[]), CAST(:amount AS numeric[]))
     WITH ORDINALITY AS t (person, role, amount, position)
""")

# Whoever replaces the table takes turns with whoever else does.
_LOCK = text("LOCK TABLE approval_limit IN SHARE ROW EXCLUSIVE MODE")


async def table(connection: AsyncConnection) -> list[ApprovalLimit]:
    """Return all limits, in the order in which they were given."""
    rows = await connection.execute(_TABLE)
    return [
        ApprovalLimit(row.person, None if row.role is None else Role(row.role), row.amount)
        for row in rows
    ]


async def put_table(connection: AsyncConnection, rows: Sequence[ApprovalLimit]) -> None:
    """Replace all limits."""
    await connection.execute(_LOCK)
    await connection.execute(_CLEAR)
    await connection.execute(
        _FILL,
        {name: [getattr(row, name) for row in rows] for name in ApprovalLimit._fields},
    )


async def limits(connection: AsyncConnection) -> Limits:
    """Return who may spend how much."""
    by_person, by_role = {}, {}
    for row in await table(connection):
        amount = ANYTHING if row.amount is None else row.amount
        if row.person is not None:
            by_person[row.person] = amount
        if row.role is not None:
            by_role[row.role] = amount
    return Limits(by_person, by_role)


async def roles(
    connection: AsyncConnection,
    person: str,
    category: str | None,
    warehouse: str,
    supplier: str | None,
) -> set[Role]:
    """Return what a person is for a SKU's category of a supplier in a warehouse."""
    row = (await people.responsibilities(connection)).row(category, warehouse, supplier)
    return set() if row is None else {role for role in Role if getattr(row, role) == person}


async def approvers(
    connection: AsyncConnection,
    cost: Decimal | None,
    category: str | None,
    warehouse: str,
    supplier: str | None,
    *,
    but: str,
) -> tuple[Recipient, ...]:
    """Return whose limits cover a cost, by id, `but` for who has asked."""
    allowed = await limits(connection)
    row = (await people.responsibilities(connection)).row(category, warehouse, supplier)
    named = {} if row is None else {role: getattr(row, role) for role in Role}
    candidates = {*allowed.by_person, *filter(None, named.values())} - {but}
    found = [
        person
        for person in sorted(candidates)
        if covers(allowed.of(person, [role for role, who in named.items() if who == person]), cost)
    ]
    known = await people.recipients(connection, set(found))
    return tuple(known[person] for person in found if person in known)
