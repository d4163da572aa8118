"""Mails of orders to suppliers: each is asked for once; what became of it the notifier knows."""

from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection


@dataclass(frozen=True, slots=True)
class OrderMail:
    """A mail that was asked for, by nobody where the order left by itself.

    The notifier's report has the same id.
    """

    id: UUID
    order_id: UUID
    address: str
    asked_at: datetime
    asked_by: str | None


_COLUMNS = "id, order_id, address, asked_at, asked_by"

_ADD = text(f"""
INSERT INTO order_mail ({_COLUMNS}) VALUES (:id, :order_id, :address, :asked_at, :asked_by)
ON CONFLICT (id) DO NOTHING
RETURNING id
""")  # noqa: S608 - the columns are ours

_ONE = text(f"SELECT {_COLUMNS} FROM order_mail WHERE id = :id")  # noqa: S608 - the columns are ours

_OF_ORDER = text(f"""
SELECT {_COLUMNS} FROM order_mail WHERE order_id = :order_id ORDER BY asked_at, id
""")  # noqa: S608 - the columns are ours


async def add(connection: AsyncConnection, mail: OrderMail) -> OrderMail:
    """Note a mail; returns it, or what was noted under its id before."""
    if await connection.scalar(_ADD, asdict(mail)) is not None:
        return mail
    return OrderMail(**(await connection.execute(_ONE, {"id": mail.id})).mappings().one())


async def of_order(connection: AsyncConnection, order_id: UUID) -> list[OrderMail]:
    """Return the mails of an order, the oldest first."""
    rows = await connection.execute(_OF_ORDER, {"order_id": order_id})
    return [OrderMail(**row) for row in rows.mappings()]
