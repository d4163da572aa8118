"""Destinations and routes as stored; the secrets of a destination are sealed, each by itself."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import SecretStr, TypeAdapter
from sqlalchemy import RowMapping, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notifier.domain.addresses import ADDRESSES, LOST, DestinationKind
from services.notifier.domain.destinations import Destination, Language
from services.notifier.domain.manners import Manners
from services.notifier.domain.routes import Reach, Route, RoutingTable
from services.notifier.store.audit import What
from services.notifier.store.secrets import Unreadable, Vault
from services.notifier.store.wakeups import wake_senders
from shared.database import audit
from shared.database.audit import Doer, Done
from shared.database.engine import causes
from shared.errors import LowtideError
from shared.events.stock_alerts import AlertLevel

_PUT_DESTINATION = text("""
INSERT INTO destination (id, kind, name, language, timezone, enabled, settings, secrets, lane,
                         manners)
VALUES (:id, :kind, :name, :language, :timezone, :enabled, CAST(:settings AS jsonb),
        CAST(:secrets AS jsonb), :lane, CAST(:manners AS jsonb))
ON CONFLICT (id) DO UPDATE
SET kind = excluded.kind, name = excluded.name, language = excluded.language,
    timezone = excluded.timezone, enabled = excluded.enabled, settings = excluded.settings,
    secrets = excluded.secrets, lane = excluded.lane, manners = excluded.manners,
    version = destination.version + 1, updated_at = now()
RETURNING version
""")

_DISABLE = text("""
UPDATE destination SET enabled = false, version = version + 1, updated_at = now()
WHERE id = :id AND version = :version
""")

_DESTINATIONS = text("SELECT * FROM destination ORDER BY id")
_DESTINATION = text("SELECT * FROM destination WHERE id = :id")
# Of a destination that writes to people one by one, how it knows them.
REACH = """
CASE WHEN kind = 'wecom_app' THEN 'wecom_userid'
     WHEN kind = 'email' AND settings -> 'personal' = 'true' THEN 'email' END
"""

# A channel is everybody's, but one person alone can be shown something there.
_ALONE = f"""
coalesce({REACH}, CASE WHEN kind = 'slack' AND secrets ? 'signing_secret' THEN 'slack_user_id' END)
"""

_HOW_TOLD = text(f"""
SELECT id, enabled, manners, {_ALONE} AS reach FROM destination ORDER BY id
""")  # noqa: S608 - the expression is ours

_MAILBOXES = text("SELECT id FROM destination WHERE enabled AND kind = 'email'")

_PUT_ROUTE = text("""
INSERT INTO route (id, destination, levels, labels, rules, enabled)
VALUES (:id, :destination, :levels, CAST(:labels AS jsonb), :rules, :enabled)
ON CONFLICT (id) DO UPDATE
SET destination = excluded.destination, levels = excluded.levels, labels = excluded.labels,
    rules = excluded.rules, enabled = excluded.enabled, updated_at = now()
RETURNING xmax = 0 AS created
""")

_manners = TypeAdapter(Manners)

_FOREIGN_KEY = "23503"

_ROUTES = text("SELECT * FROM route ORDER BY id")
_ROUTE_TO_CHANGE = text("SELECT * FROM route WHERE id = :id FOR UPDATE")


class NoDestination(LowtideError):  # noqa: N818 - a state, not a mistake
    """A route leads to a destination that does not exist."""


class LaneTaken(LowtideError):  # noqa: N818 - a state, not a mistake
    """Another destination has this address already: they would share its limit unknowingly."""


async def put_destination(
    connection: AsyncConnection, destination: Destination, vault: Vault
) -> bool:
    """Store a destination; returns whether it is new. Raises LaneTaken."""
    address = destination.address
    sealed = {name: vault.seal(secret) for name, secret in address.secrets.items()}
    parameters = {
        "id": destination.id,
        "kind": destination.kind.value,
        "name": destination.name,
        "language": destination.language.value,
        "timezone": destination.timezone,
        "enabled": destination.enabled,
        "settings": json.dumps(address.settings, ensure_ascii=False),
        "secrets": json.dumps(sealed),
        "lane": destination.lane,
        "manners": _manners.dump_json(destination.manners).decode(),
    }
    try:
        version = await connection.scalar(_PUT_DESTINATION, parameters)
    except IntegrityError as error:
        if any("destination_lane" in str(cause) for cause in causes(error)):
            raise LaneTaken("another destination has this address") from None
        raise
    await wake_senders(connection)
    return bool(version == 1)


async def disable(connection: AsyncConnection, id_: str, version: int, now: datetime) -> bool:
    """Disable a destination; False when it has been changed since it had this version."""
    result = await connection.execute(_DISABLE, {"id": id_, "version": version})
    if result.rowcount != 1:
        return False
    done = Done(What.DESTINATION_DISABLED, id_, {"enabled": True}, {"enabled": False})
    await audit.add(connection, Doer("notifier", now), done)
    return True


async def destinations(connection: AsyncConnection, vault: Vault) -> list[Destination]:
    """Return all destinations by id; secrets that cannot be opened are LOST."""
    rows = await connection.execute(_DESTINATIONS)
    return [_destination(row, vault, usable=False) for row in rows.mappings()]


async def destination(
    connection: AsyncConnection, id_: str, vault: Vault, *, usable: bool = True
) -> Destination | None:
    """Return one destination with its secrets.

    Without the key that they were sealed with it raises Unreadable, or, where it is only to be
    looked at or mended and need not be `usable`, has LOST ones.
    """
    row = (await connection.execute(_DESTINATION, {"id": id_})).mappings().one_or_none()
    return None if row is None else _destination(row, vault, usable=usable)


def _opened(sealed: str, vault: Vault, *, usable: bool) -> SecretStr:
    try:
        return vault.open(sealed)
    except Unreadable:
        if usable:
            raise
        return LOST


def _destination(row: RowMapping, vault: Vault, *, usable: bool) -> Destination:
    # JSON has lists for tuples.
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in row["settings"].items()
    }
    values |= {
        name: _opened(sealed, vault, usable=usable) for name, sealed in row["secrets"].items()
    }
    return Destination(
        id=row["id"],
        name=row["name"],
        language=Language(row["language"]),
        timezone=row["timezone"],
        enabled=row["enabled"],
        address=ADDRESSES[DestinationKind(row["kind"])](**values),
        version=row["version"],
        manners=_manners.validate_python(row["manners"]),
    )


async def put_route(connection: AsyncConnection, route: Route) -> bool:
    """Store a route; returns whether it is new. Raises NoDestination."""
    parameters = {
        "id": route.id,
        "destination": route.destination,
        "levels": sorted(route.levels),
        "labels": json.dumps(dict(route.labels), ensure_ascii=False),
        "rules": sorted(route.rules),
        "enabled": route.enabled,
    }
    try:
        return bool(await connection.scalar(_PUT_ROUTE, parameters))
    except IntegrityError as error:
        if any(getattr(cause, "sqlstate", None) == _FOREIGN_KEY for cause in causes(error)):
            raise NoDestination(route.destination) from None
        raise


async def routes(connection: AsyncConnection) -> list[Route]:
    """Return all routes by id."""
    rows: Sequence[RowMapping] = (await connection.execute(_ROUTES)).mappings().all()
    return [_route(row) for row in rows]


async def route_to_change(connection: AsyncConnection, id_: str) -> Route | None:
    """Return a route that nobody else changes until this transaction ends."""
    row = (await connection.execute(_ROUTE_TO_CHANGE, {"id": id_})).mappings().one_or_none()
    return None if row is None else _route(row)


def _route(row: RowMapping) -> Route:
    return Route(
        id=row["id"],
        destination=row["destination"],
        levels=frozenset(AlertLevel(level) for level in row["levels"]),
        labels=row["labels"],
        rules=frozenset(row["rules"]),
        enabled=row["enabled"],
    )


async def mail_destinations(connection: AsyncConnection) -> set[str]:
    """Return the enabled destinations through which mail can be sent."""
    return set(await connection.scalars(_MAILBOXES))


async def routing_table(connection: AsyncConnection) -> RoutingTable:
    """Return what decides where alerts go, as of now."""
    rows = (await connection.execute(_HOW_TOLD)).all()
    return RoutingTable(
        [row.id for row in rows if row.enabled],
        await routes(connection),
        {row.id: _manners.validate_python(row.manners) for row in rows},
        {row.id: Reach(row.reach) for row in rows if row.reach is not None},
        disabled=[row.id for row in rows if not row.enabled],
    )
