"""What DingTalk, Feishu and Slack know people by."""

from alembic import op

revision = "0021"
down_revision = "0020"

CHAT_IDS = """
ALTER TABLE person
    ADD COLUMN dingtalk_userid text,
    ADD COLUMN feishu_open_id text,
    ADD COLUMN slack_user_id text
"""

DINGTALK = "CREATE UNIQUE INDEX person_dingtalk ON person (lower(dingtalk_userid))"
FEISHU = "CREATE UNIQUE INDEX person_feishu ON person (lower(feishu_open_id))"
SLACK = "CREATE UNIQUE INDEX person_slack ON person (lower(slack_user_id))"


def upgrade() -> None:
    """Add the columns."""
    for statement in (CHAT_IDS, DINGTALK, FEISHU, SLACK):
        op.execute(statement)
