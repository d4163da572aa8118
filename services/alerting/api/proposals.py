"""`/v1/alerts/{id}/proposals`: what could be done about an alert, best first."""

from collections.abc import Mapping
from decimal import Decimal
from uuid import UUID

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from services.alerting.api.desk import AtDesk, Desk
from services.alerting.domain.covering import enough, on_order
from services.alerting.domain.proposal import At, Proposal, TermName, proposals
from services.alerting.domain.proposal_words import in_words
from services.alerting.domain.sales import day_of
from services.alerting.domain.subject import LevelSubject, Subject
from services.alerting.store import alerts, covering, memory, parameters
from services.alerting.store.memory import StoredKnown
from shared.database.engine import Connection
from shared.events.stock_alerts import ActionKind, SubjectKind
from shared.http.auth import Scope, require
from shared.http.problems import not_found

router = APIRouter(tags=["actions"], dependencies=[Depends(require(Scope.ALERTS_READ))])


class Term(BaseModel):
    """One number of the sum behind a quantity; what is there already is negative."""

    name: TermName
    value: int


class ProposedAction(BaseModel):
    """Something that could be done.

    `quantity` is null where the kind has none, or nobody can say how much. `terms` are the sum
    behind it, `text` says it by language. `source` is where a transfer comes from, `cost` what a
    purchase costs where the unit cost is known.
    """

    kind: ActionKind
    quantity: int | None
    source: str | None
    cost: Decimal | None
    terms: list[Term]
    text: dict[str, str] | None

    @classmethod
    def of(cls, proposal: Proposal) -> "ProposedAction":
        """Return a proposal as it is answered."""
        words = in_words(proposal)
        return cls(
            kind=proposal.kind,
            quantity=proposal.quantity,
            source=proposal.source,
            cost=proposal.cost,
            terms=[Term(name=each.name, value=each.value) for each in proposal.terms],
            text=None if words is None else {"zh-CN": words.zh, "en": words.en},
        )


class Proposals(BaseModel):
    """What could be done about an alert, the best first."""

    items: list[ProposedAction] = Field(description="The best first")


@router.get("/v1/alerts/{alert_id}/proposals")
async def get_proposals(alert_id: UUID, at: AtDesk) -> Proposals:
    """Return what could be done about an alert, with quantities, and money where it is known.

    A purchase brings the level up to reorder point and order quantity, less what is available,
    incoming or on order, rounded up to the MOQ and to full packs; without a reorder point up to
    the sales of the lead time and seven days. A transfer comes from the warehouse that has most
    over its own need. Neither is proposed while something asked for covers the shortage, and
    nothing of an alert that is resolved, or of one about several warehouses.
    """

    async def propose(connection: Connection) -> list[Proposal]:
        found = await alerts.one(connection, alert_id)
        if found is None:
            raise not_found(f"alert {alert_id}")
        if found.subject is not SubjectKind.LEVEL:
            return []  # the alerts of its levels have what brings stock to them
        subject = LevelSubject(found.sku, found.warehouse)
        levels = await _standing(at, connection, found.sku)
        own = levels.pop(subject, None)
        if own is None or found.resolved_at is not None:
            return []
        facts = found.facts.model_copy(
            update={"available": own.available, "incoming": own.incoming}
        )
        coming = await covering.on_the_way(connection, [subject], at.clock.now(), proposed=True)
        item = at.item(found.sku, needed=False)
        return proposals(
            found.rule.kind,
            own,
            list(levels.values()),
            is_bought=item is None or item.is_bought,
            is_covered=enough(found.rule.kind, facts, coming.get(subject, ())) is not None,
        )

    return Proposals(items=[ProposedAction.of(each) for each in await at.ask(propose)])


async def _standing(at: Desk, connection: Connection, sku: str) -> dict[Subject, At]:
    """Return how a SKU stands in each warehouse, as far as proposals ask."""
    levels = await memory.of_skus(connection, [sku])
    coming = await covering.on_the_way(connection, list(levels), at.clock.now())
    means = daily_means(at, levels)
    given = await parameters.of_levels(connection, [(sku, each.warehouse) for each in levels])
    found = {}
    for subject, known in levels.items():
        found[subject] = At(
            warehouse=subject.warehouse,
            available=known.level.available,
            incoming=known.level.incoming,
            on_order=on_order(coming.get(subject, ())),
            daily_mean=means[subject],
            parameters=given[sku, subject.warehouse],
            in_doubt=bool(known.level.flags),
        )
    return found


def daily_means(at: Desk, levels: Mapping[Subject, StoredKnown]) -> dict[Subject, float | None]:
    """Return mean daily sales of levels, as of now, or of their own time in a replay."""
    now = at.clock.now()
    return {
        subject: known.sales.on(
            day_of(known.level.last_change_at if at.in_event_time else now)
        ).daily_mean
        for subject, known in levels.items()
    }
