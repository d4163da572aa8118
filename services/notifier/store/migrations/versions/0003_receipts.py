"""What a vendor calls a message that it has accepted: later ones hang under it."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Let attempts keep a receipt; earlier ones have none."""
    op.execute("ALTER TABLE attempt ADD COLUMN receipt text")
