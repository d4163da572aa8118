"""How much the notices of episodes offer to buy, where something was done since they opened."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerting.domain.proposal import on_card
from services.alerting.domain.subject import LevelSubject
from services.alerting.store import covering, last_heard, parameters
from services.alerting.store.episodes import Episode
from shared.events.stock_alerts import SHORTAGES

# Whoever says to have ordered for an alert means what is approved for it (`actions.ordered`).
_WAITING = text("""
SELECT DISTINCT ON (alert_id) alert_id, coalesce(confirmed_quantity, quantity) AS quantity
FROM action
WHERE alert_id = ANY(CAST(:ids AS uuid[])) AND kind = 'buy' AND state = 'approved'
ORDER BY alert_id, number
""")


async def renew(connection: AsyncConnection, episodes: Collection[Episode], now: datetime) -> None:
    """Let the facts of episodes offer what is to be bought by now; see `proposal.on_card`.

    What is approved and not yet ordered is offered as it is.
    """
    short = [
        each
        for each in episodes
        if each.rule.kind in SHORTAGES and isinstance(each.subject, LevelSubject)
    ]
    if not short:
        return
    ids = [each.id for each in short]
    waiting = {
        row.alert_id: row.quantity for row in await connection.execute(_WAITING, {"ids": ids})
    }
    heard = await last_heard.of_alerts(connection, ids)
    coming = await covering.on_the_way(
        connection, [each.subject for each in short], now, proposed=True
    )
    levels = [(each.subject.sku, each.subject.warehouse) for each in short]
    given = await parameters.of_levels(connection, levels)
    for each, level in zip(short, levels, strict=True):
        facts = heard[each.id].told(each.facts) if each.id in heard else each.facts
        offered = waiting.get(each.id) or on_card(
            each.rule.kind,
            facts,
            coming.get(each.subject, ()),
            each.subject.warehouse,
            given[level],
        )
        each.facts = each.facts.model_copy(update={"proposed": offered})
