"""What was last heard of the subjects of alerts, for those who are reminded of them."""

from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.events.stock_alerts import AlertFacts, Options


class LastHeard(NamedTuple):
    """Units; `options` of a product, as it was last judged."""

    available: int
    on_hand: int
    low_water: int
    incoming: int
    options: Options | None

    def told(self, facts: AlertFacts) -> AlertFacts:
        """Return the facts of a revision with the numbers of now.

        When it runs out was said of other numbers; so were the lines, if less or more is coming.
        """
        cover = self.available / facts.daily_sales if facts.daily_sales else None
        news = self._asdict() | {"days_of_cover": cover, "runs_out_at": None}
        if self.incoming != facts.incoming:
            news |= {"next_arrival": None, "overdue": None}
        return facts.model_copy(update=news)


_LEVELS = text("""
SELECT a.id, k.available, k.on_hand, k.low_water, k.incoming, CAST(NULL AS text) AS options
FROM alert AS a JOIN known_level AS k ON k.sku = a.sku AND k.warehouse = a.warehouse
WHERE a.id = ANY(CAST(:ids AS uuid[])) AND a.subject_kind = 'level'
""")

# The warehouses that add up are those that the rule names by now; all if it names none.
_TOGETHER = text("""
SELECT a.id, CAST(sum(k.available) AS bigint) AS available,
       CAST(sum(k.on_hand) AS bigint) AS on_hand, CAST(sum(k.available) AS bigint) AS low_water,
       CAST(sum(k.incoming) AS bigint) AS incoming, CAST(j.options AS text) AS options
FROM alert AS a
CROSS JOIN LATERAL (
    SELECT body -> 'scope' -> 'warehouses' AS warehouses FROM rule
    WHERE id = a.rule_id ORDER BY version DESC LIMIT 1
) AS r
LEFT JOIN judged_product AS j
  ON a.subject_kind = 'product' AND j.rule_id = a.rule_id AND j.product = a.sku
CROSS JOIN LATERAL (
    SELECT a.sku WHERE a.subject_kind = 'pool'
    UNION ALL SELECT jsonb_array_elements_text(j.skus)
) AS s (sku)
JOIN known_level AS k
  ON k.sku = s.sku
     AND (jsonb_array_length(r.warehouses) = 0 OR jsonb_exists(r.warehouses, k.warehouse))
WHERE a.id = ANY(CAST(:ids AS uuid[])) AND a.subject_kind <> 'level'
GROUP BY a.id, j.options
""")


async def of_alerts(connection: AsyncConnection, ids: Collection[UUID]) -> dict[UUID, LastHeard]:
    """Return what the subjects of some alerts have; nothing of those that nobody has told of."""
    found: dict[UUID, LastHeard] = {}
    if not ids:
        return found
    for question in (_LEVELS, _TOGETHER):
        for row in await connection.execute(question, {"ids": list(ids)}):
            options = None if row.options is None else Options.model_validate_json(row.options)
            found[row.id] = LastHeard(
                row.available, row.on_hand, row.low_water, row.incoming, options
            )
    return found
