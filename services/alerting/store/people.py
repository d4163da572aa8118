"""People, and the table of what they are responsible for."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.people import Responsibilities, Responsibility
from services.alerting.store import warehouse_groups
from shared.events.alert_responses import Via
from shared.events.stock_alerts import Recipient


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who sees to alerts; `id` is the subject of the person's sign-in.

    `away_until`: until then a deputy takes what opens.
    """

    id: str
    name: str
    language: str
    email: str | None = None
    wecom_userid: str | None = None
    dingtalk_userid: str | None = None
    feishu_open_id: str | None = None
    slack_user_id: str | None = None
    away_until: datetime | None = None


_PERSON = """
SELECT id, name, language, email, wecom_userid, dingtalk_userid, feishu_open_id, slack_user_id,
       away_until
FROM person
"""

_PAGE = text(f"{_PERSON} WHERE id > :after ORDER BY id LIMIT :limit")

_ONE = text(f"{_PERSON} WHERE id = :id")

_BY_WECOM = text(f"{_PERSON} WHERE lower(wecom_userid) = lower(:address)")

_BY_SLACK = text(f"{_PERSON} WHERE lower(slack_user_id) = lower(:address)")

_BY_EMAIL = text(f"{_PERSON} WHERE lower(email) = lower(:address)")

_PUT = text("""
INSERT INTO person (id, name, language, email, wecom_userid, dingtalk_userid, feishu_open_id,
                    slack_user_id, away_until)
VALUES (:id, :name, :language, :email, :wecom_userid, :dingtalk_userid, :feishu_open_id,
        :slack_user_id, :away_until)
ON CONFLICT (id) DO UPDATE SET
    name = EXCLUDED.name, language = EXCLUDED.language, email = EXCLUDED.email,
    wecom_userid = EXCLUDED.wecom_userid, dingtalk_userid = EXCLUDED.dingtalk_userid,
    feishu_open_id = EXCLUDED.feishu_open_id, slack_user_id = EXCLUDED.slack_user_id,
    away_until = EXCLUDED.away_until
""")

# One chat id or address belongs to one person: a button that is pressed there must name somebody,
# and who is mentioned must be whom it is for.
_SAME_ADDRESS = text("""
SELECT id FROM person
WHERE id <> :id AND (lower(email) = lower(:email) OR lower(wecom_userid) = lower(:wecom_userid)
                     OR lower(dingtalk_userid) = lower(:dingtalk_userid)
                     OR lower(feishu_open_id) = lower(:feishu_open_id)
                     OR lower(slack_user_id) = lower(:slack_user_id))
LIMIT 1
""")

# Of playbooks and rules the newest version, unless it is disabled.
_NAMED = text("""
SELECT 'the table of responsibilities' AS place, '' AS id
WHERE EXISTS (SELECT FROM responsibility WHERE :id IN (owner, deputy, manager))
UNION ALL
SELECT 'the approval limits', '' WHERE EXISTS (SELECT FROM approval_limit WHERE person = :id)
UNION ALL
SELECT 'playbook', p.id
FROM (SELECT DISTINCT ON (id) id, body::jsonb AS body FROM playbook ORDER BY id, version DESC) AS p
WHERE coalesce((p.body ->> 'enabled')::boolean, true)
  AND jsonb_path_exists(p.body, '$.steps.**.person ? (@ == $id)',
                        jsonb_build_object('id', CAST(:id AS text)))
UNION ALL
SELECT 'rule', r.id
FROM (SELECT DISTINCT ON (id) id, body FROM rule ORDER BY id, version DESC) AS r
WHERE (r.body ->> 'enabled')::boolean AND r.body ->> 'owner' = :id
UNION ALL
SELECT 'open alerts', '' WHERE EXISTS (SELECT FROM alert WHERE resolved_at IS NULL AND owner = :id)
UNION ALL
SELECT 'open alerts that follow', playbook ->> 'id' FROM alert
WHERE resolved_at IS NULL AND playbook IS NOT NULL
  AND jsonb_path_exists(playbook, '$.steps.**.person ? (@ == $id)',
                        jsonb_build_object('id', CAST(:id AS text)))
GROUP BY playbook ->> 'id'
UNION ALL
SELECT 'rotation', r.id FROM rotation AS r
WHERE r.body::jsonb -> 'people' ? CAST(:id AS text)
   OR jsonb_path_exists(r.body::jsonb, '$.overrides[*].person ? (@ == $id)',
                        jsonb_build_object('id', CAST(:id AS text)))
ORDER BY place, id
""")

_DELETE = text("DELETE FROM person WHERE id = :id")

_KNOWN = text("SELECT id FROM person WHERE id = ANY(CAST(:ids AS text[]))")

_RECIPIENTS = text(f"{_PERSON} WHERE id = ANY(CAST(:ids AS text[]))")

_AWAY = text("SELECT id, away_until FROM person WHERE away_until IS NOT NULL")

_TABLE = text("""
SELECT category, warehouse, owner, deputy, manager, supplier, warehouse_group
FROM responsibility ORDER BY position
""")

_CLEAR = text("DELETE FROM responsibility")

_FILL = text("""
INSERT INTO responsibility (position, category, warehouse, owner, deputy, manager, supplier,
                            warehouse_group)
SELECT position, category, warehouse, owner, deputy, manager, supplier, warehouse_group
FROM unnest(CAST(:category AS text[]), CAST(:warehouse AS text[]), CAST(:owner AS text[]),
            CAST(:deputy AS text[]), CAST(:manager AS text[]), CAST(:supplier AS text[]),
            CAST(:warehouse_group AS text[]))
     WITH ORDINALITY AS t (category, warehouse, owner, deputy, manager, supplier, warehouse_group,
                           position)
""")

# Whoever changes people, or what names them, takes turns with whoever else does.
_LOCK = text("LOCK TABLE responsibility IN SHARE ROW EXCLUSIVE MODE")


async def page(connection: AsyncConnection, after: str, limit: int) -> list[Person]:
    """Return people by id, those after an id."""
    rows = await connection.execute(_PAGE, {"after": after, "limit": limit})
    return [_person(row) for row in rows.mappings()]


async def one(connection: AsyncConnection, person_id: str) -> Person | None:
    """Return a person."""
    row = (await connection.execute(_ONE, {"id": person_id})).mappings().one_or_none()
    return None if row is None else _person(row)


async def at_address(connection: AsyncConnection, address: str, via: Via) -> Person | None:
    """Return whose an address is: a user id of WeCom or Slack, or else an e-mail address."""
    question = {Via.WECOM_APP: _BY_WECOM, Via.SLACK: _BY_SLACK}.get(via, _BY_EMAIL)
    row = (await connection.execute(question, {"address": address})).mappings().one_or_none()
    return None if row is None else _person(row)


async def put(connection: AsyncConnection, person: Person) -> str | None:
    """Store a person; returns whose address it is already, in which case nothing is stored."""
    await connection.execute(_LOCK)
    values = asdict(person)
    other: str | None = await connection.scalar(_SAME_ADDRESS, values)
    if other is None:
        await connection.execute(_PUT, values)
    return other


async def begin_edit(connection: AsyncConnection) -> None:
    """Let others who change people, or what names them, wait for this transaction."""
    await connection.execute(_LOCK)


async def delete(connection: AsyncConnection, person_id: str) -> list[str]:
    """Delete a person, unless they are named somewhere still: returns where."""
    await begin_edit(connection)
    rows = await connection.execute(_NAMED, {"id": person_id})
    places = [f"{row.place} {row.id}".rstrip() for row in rows]
    if not places:
        await connection.execute(_DELETE, {"id": person_id})
    return places


async def known(connection: AsyncConnection, ids: Collection[str]) -> set[str]:
    """Return which of some ids are those of people."""
    return set((await connection.execute(_KNOWN, {"ids": list(ids)})).scalars())


async def recipients(connection: AsyncConnection, ids: Collection[str]) -> dict[str, Recipient]:
    """Return those of some ids that are people, as notices name them."""
    if not ids:
        return {}
    rows = await connection.execute(_RECIPIENTS, {"ids": list(ids)})
    return {
        row.id: Recipient(
            id=row.id,
            name=row.name,
            language=row.language,
            email=row.email,
            wecom_userid=row.wecom_userid,
            dingtalk_userid=row.dingtalk_userid,
            feishu_open_id=row.feishu_open_id,
            slack_user_id=row.slack_user_id,
        )
        for row in rows
    }


async def table(connection: AsyncConnection) -> list[Responsibility]:
    """Return the table, in the order in which it was given."""
    return [Responsibility(*row) for row in await connection.execute(_TABLE)]


async def put_table(
    connection: AsyncConnection, rows: Sequence[Responsibility]
) -> list[tuple[int, str]]:
    """Replace the table, unless it names people or groups that are none.

    Returns where, as (row, column).
    """
    await connection.execute(_LOCK)
    named = {
        (number, column): id_
        for number, row in enumerate(rows)
        for column in ("warehouse_group", "owner", "deputy", "manager")
        if (id_ := getattr(row, column)) is not None
    }
    ids = set(named.values())
    people, groups = await known(connection, ids), await warehouse_groups.known(connection, ids)
    strangers = [
        (number, column)
        for (number, column), id_ in named.items()
        if id_ not in (groups if column == "warehouse_group" else people)
    ]
    if not strangers:
        await connection.execute(_CLEAR)
        await connection.execute(
            _FILL,
            {name: [getattr(row, name) for row in rows] for name in Responsibility._fields},
        )
    return strangers


async def responsibilities(connection: AsyncConnection) -> Responsibilities:
    """Return who sees to what, as of this transaction."""
    away = {row.id: row.away_until for row in await connection.execute(_AWAY)}
    groups = await warehouse_groups.members(connection)
    return Responsibilities(await table(connection), away, groups)


def _person(row: RowMapping) -> Person:
    return Person(**row)
