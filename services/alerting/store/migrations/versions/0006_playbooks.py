"""Playbooks, working calendars, rotations, and a timer for each open episode that follows one."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

PLAYBOOK = """
CREATE TABLE playbook (
    id          text        NOT NULL,
    version     integer     NOT NULL,
    body        jsonb       NOT NULL,
    changed_by  text        NOT NULL,
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (id, version)
)
"""

WORKING_CALENDAR = """
CREATE TABLE working_calendar (
    id    text  PRIMARY KEY,
    body  jsonb NOT NULL
)
"""

ROTATION = """
CREATE TABLE rotation (
    id    text  PRIMARY KEY,
    body  jsonb NOT NULL
)
"""

ALERT = "ALTER TABLE alert ADD COLUMN category text, ADD COLUMN playbook jsonb"
# The playbook as it was when the episode took it up: an edit changes nothing under people's hands.

FOLLOWING = """
CREATE INDEX alert_following ON alert (id) WHERE resolved_at IS NULL AND playbook IS NOT NULL
"""

TIMER = """
CREATE TABLE timer (
    alert_id      uuid        PRIMARY KEY REFERENCES alert (id) DEFERRABLE INITIALLY DEFERRED,
    generation    integer     NOT NULL,
    number        integer     NOT NULL,
    taken         integer     NOT NULL,
    since         timestamptz NOT NULL,
    by            timestamptz,
    due_at        timestamptz,
    stands_until  timestamptz,
    escalated     boolean     NOT NULL,
    told          text[]      NOT NULL
)
"""
# A row stays when its episode ends, with nothing due: it knows who was told and must hear of that.

TIMER_DUE = "CREATE INDEX timer_due ON timer (due_at) WHERE due_at IS NOT NULL"

_OWNER, _DEPUTY, _MANAGER = ([{"role": role}] for role in ("owner", "deputy", "manager"))

OFFICE = {
    "zone": "Asia/Shanghai",
    "hours": {
        day: [{"from": "09:00", "until": "18:00"}] for day in ("mon", "tue", "wed", "thu", "fri")
    },
    "country": "CN",
}


def _late(again_minutes: int, manager_minutes: int) -> list[dict[str, object]]:
    """Remind at the limit and once more, then tell the manager, and remind both a last time."""
    return [
        {"do": "remind"},
        {"do": "remind", "after_minutes": again_minutes},
        {"do": "widen", "after_minutes": manager_minutes, "to": _MANAGER},
        {"do": "remind", "after_minutes": manager_minutes},
    ]


def _step(expects: str, within_minutes: int, late: list[dict[str, object]]) -> dict[str, object]:
    return {
        "whom": _OWNER,
        "expects": expects,
        "within_minutes": within_minutes,
        "calendar": "office",
        "late": late,
    }


PLAYBOOKS = {
    "urgent_replenishment": {
        "name": {"zh-CN": "紧急补货", "en": "Urgent replenishment"},
        "steps": [
            _step("acknowledge", 30, _late(15, 15)),
            _step("act", 120, _late(60, 60)),
        ],
    },
    "sold_out_at_one_shop": {
        "name": {"zh-CN": "单店断货", "en": "Sold out at one shop"},
        "steps": [
            _step(
                "acknowledge",
                60,
                [
                    {"do": "remind"},
                    {"do": "escalate", "after_minutes": 30, "to": _DEPUTY},
                    {"do": "widen", "after_minutes": 60, "to": _MANAGER},
                ],
            ),
            _step("act", 240, _late(120, 120)),
        ],
    },
    "data_doubt_count": {
        "name": {"zh-CN": "数据存疑盘点", "en": "Count what is in doubt"},
        "steps": [
            _step("acknowledge", 240, _late(120, 120)),
            _step("act", 1_080, _late(540, 540)),
        ],
    },
}
# In use as soon as a rule names one; what they say is for each company to change.


def upgrade() -> None:
    """Add the tables, and three playbooks to begin with."""
    for statement in (
        PLAYBOOK,
        WORKING_CALENDAR,
        ROTATION,
        ALERT,
        FOLLOWING,
        TIMER,
        TIMER_DUE,
    ):
        op.execute(statement)
    connection = op.get_bind()
    connection.execute(
        sa.text("INSERT INTO working_calendar (id, body) VALUES ('office', CAST(:body AS jsonb))"),
        {"body": json.dumps(OFFICE)},
    )
    connection.execute(
        sa.text("""
INSERT INTO playbook (id, version, body, changed_by, changed_at)
VALUES (:id, 1, CAST(:body AS jsonb), 'lowtide', now())
"""),
        [
            {"id": id_, "body": json.dumps(body, ensure_ascii=False)}
            for id_, body in PLAYBOOKS.items()
        ],
    )
