"""A destination may have several secrets, each sealed by itself; lanes begin with the kind."""

from alembic import op

revision = "0002"
down_revision = "0001"

_STATEMENTS = (
    "ALTER TABLE destination ADD COLUMN secrets jsonb NOT NULL DEFAULT '{}'",
    """
    UPDATE destination
    SET secrets = jsonb_build_object(CASE kind WHEN 'email' THEN 'password' ELSE 'key' END, secret)
    WHERE secret IS NOT NULL
    """,
    "ALTER TABLE destination DROP COLUMN secret",
    # `wecom:` was short for `wecom_bot:`. The limits of the minute are read from these rows.
    """
    UPDATE destination SET lane = replace(lane, 'wecom:', 'wecom_bot:') WHERE lane LIKE 'wecom:%'
    """,
    "UPDATE attempt SET lane = replace(lane, 'wecom:', 'wecom_bot:') WHERE lane LIKE 'wecom:%'",
)


def upgrade() -> None:
    """Give secrets names without opening them, and lanes the kind's own name."""
    for statement in _STATEMENTS:
        op.execute(statement)
