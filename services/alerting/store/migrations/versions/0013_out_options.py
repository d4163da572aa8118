"""Which options of products are out, by the rule that watches them."""

from alembic import op

revision = "0013"
down_revision = "0012"

OUT_OPTION = """
CREATE TABLE out_option (
    rule_id    text    NOT NULL,
    sku        text    NOT NULL,
    product    text    NOT NULL,
    partition  integer NOT NULL,
    PRIMARY KEY (rule_id, sku)
)
"""
# Written by the owner of the SKU's partition, when an option runs out or comes back.

JUDGED_PRODUCT = """
CREATE TABLE judged_product (
    rule_id  text   NOT NULL,
    product  text   NOT NULL,
    judged   bigint NOT NULL,
    PRIMARY KEY (rule_id, product)
) WITH (fillfactor = 80)
"""
# A row is what several workers hold while they judge a product one after the other.


def upgrade() -> None:
    """Create the tables."""
    for statement in (
        OUT_OPTION,
        "CREATE INDEX out_option_by_partition ON out_option (partition)",
        "CREATE INDEX out_option_by_product ON out_option (rule_id, product)",
        JUDGED_PRODUCT,
    ):
        op.execute(statement)
