"""How low levels got while something was the matter with them."""

from alembic import op

revision = "0011"
down_revision = "0005"

# JSON by rule, [since, told, known]; empty for nearly every level. Conditions that are there
# already have none: of them nothing is known, and nothing is retracted.
TROUGHS = "ALTER TABLE known_level ADD COLUMN troughs text NOT NULL DEFAULT ''"


def upgrade() -> None:
    """Add the column."""
    op.execute(TROUGHS)
