"""People, and who is responsible for what."""

from alembic import op

revision = "0005"
down_revision = "0004"

PERSON = """
CREATE TABLE person (
    id            text PRIMARY KEY,
    name          text NOT NULL,
    language      text NOT NULL,
    email         text,
    wecom_userid  text,
    away_until    timestamptz
)
"""

EMAIL = "CREATE UNIQUE INDEX person_email ON person (lower(email))"
WECOM = "CREATE UNIQUE INDEX person_wecom ON person (lower(wecom_userid))"
# WeCom gives user ids back in lower case.

RESPONSIBILITY = """
CREATE TABLE responsibility (
    position   integer PRIMARY KEY,
    category   text,
    warehouse  text,
    owner      text REFERENCES person (id),
    deputy     text REFERENCES person (id),
    manager    text REFERENCES person (id),
    UNIQUE NULLS NOT DISTINCT (category, warehouse)
)
"""

OWNED = "CREATE INDEX alert_by_owner ON alert (owner, number) WHERE owner IS NOT NULL"


def upgrade() -> None:
    """Add the tables."""
    for statement in (PERSON, EMAIL, WECOM, RESPONSIBILITY, OWNED):
        op.execute(statement)
