"""Configuration that a process keeps in memory until somebody has edited it."""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database.direct import Direct

T = TypeVar("T")


def renewed_by(name: str, *tables: str) -> list[str]:
    """Return the statements of a migration that let edits of tables renew a revision.

    Each edit has a value of its own, so that a database put back to an earlier state, and edited
    there, is not taken for what it was. The revision is locked before what a statement edits:
    editors take turns there, unless they had locked something else before.
    """
    revision, renew = f"{name}_revision", f"renew_{name}_revision"
    return [
        f"""CREATE TABLE {revision} (
            is_one   boolean PRIMARY KEY DEFAULT true CHECK (is_one),
            revision uuid NOT NULL DEFAULT gen_random_uuid()
        )""",
        # Whoever edits, with whatever path to look for tables along.
        f"""CREATE OR REPLACE FUNCTION {renew}() RETURNS trigger LANGUAGE plpgsql
        SET search_path FROM CURRENT AS $$
        BEGIN
            INSERT INTO {revision} DEFAULT VALUES
            ON CONFLICT (is_one) DO UPDATE SET revision = excluded.revision;
            RETURN NULL;
        END $$""",  # noqa: S608 - the names are ours
        *(
            f"""CREATE TRIGGER {name}_is_edited BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE
            ON {table} FOR EACH STATEMENT EXECUTE FUNCTION {renew}()"""
            for table in tables
        ),
    ]


class Kept(Generic[T]):
    """What is read from the tables of a revision (`renewed_by`), once for each that is met.

    Before the first edit there is none, which is one, too.
    """

    def __init__(self, name: str, read: Callable[[AsyncConnection], Awaitable[T]]) -> None:
        self._asking = Direct(f"SELECT revision FROM {name}_revision")  # noqa: S608 - it is ours
        self._read = read
        self._known: tuple[UUID | None, T] | None = None

    async def now(self, connection: AsyncConnection) -> T:
        """Return it as of a statement of this transaction."""
        # Asked first: what is read after it is as new as it, or newer.
        rows = await self._asking.rows(connection)
        revision: UUID | None = rows[0]["revision"] if rows else None
        if self._known is None or self._known[0] != revision:
            self._known = revision, await self._read(connection)
        return self._known[1]
