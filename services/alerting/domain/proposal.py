"""What could be done about an episode, best first, with the sum behind each quantity."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from math import ceil
from typing import NamedTuple

from services.alerting.domain.covering import MAY_ASK_TO_BUY, OnTheWay, enough, on_order
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.parameters import Parameters
from shared.events.base import MAX_QUANTITY
from shared.events.stock_alerts import SHORTAGES, ActionKind, AlertFacts

REVIEW_DAYS = 7
"""Without a reorder point an order is to last for the lead time and this much longer."""

LEAD_TIME_DAYS = 7
"""Taken where no lead time is set; the sum says so."""

_DOUBTING = frozenset({RuleKind.DATA_DOUBT, RuleKind.NEGATIVE})


class TermName(StrEnum):
    """What a number in the sum of a quantity is."""

    REORDER_POINT = "reorder_point"
    ORDER_QUANTITY = "order_quantity"
    LEAD_TIME_DEMAND = "lead_time_demand"
    ASSUMED_LEAD_TIME_DEMAND = "assumed_lead_time_demand"
    SAFETY_STOCK = "safety_stock"
    AVAILABLE = "available"
    INCOMING = "incoming"
    ON_ORDER = "on_order"
    NEED = "need"
    MOQ = "moq"
    PACK_MULTIPLE = "pack_multiple"
    SURPLUS = "surplus"


class Term(NamedTuple):
    """One number of a sum; what is there already counts negative."""

    name: TermName
    value: int


class At(NamedTuple):
    """A level as far as a proposal asks; `on_order` is under way and not yet in `incoming`."""

    warehouse: str
    available: int
    incoming: int
    on_order: int
    daily_mean: float | None
    parameters: Parameters
    in_doubt: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """Something that could be done; `quantity` is None where it has none or nobody can say.

    `terms` add up to the need, up to which `quantity` is rounded: to the MOQ first, then to full
    packs. `source` is where a transfer comes from.
    """

    kind: ActionKind
    quantity: int | None = None
    terms: tuple[Term, ...] = ()
    source: str | None = None
    cost: Decimal | None = None


def proposals(
    kind: str,
    at: At,
    elsewhere: Sequence[At],
    *,
    is_bought: bool = True,
    is_covered: bool = False,
) -> list[Proposal]:
    """Return what could be done about what a rule of a kind warns of, the best first.

    `is_bought` is False for a SKU that is being phased out. `is_covered`: enough was asked for
    already, so that neither a purchase nor a transfer would be taken.
    """
    found = []
    if kind in _DOUBTING or at.in_doubt:
        found.append(Proposal(ActionKind.COUNT))
    if kind in MAY_ASK_TO_BUY:
        found += [] if is_covered else _transfer(at, elsewhere)
        purchase = _purchase(at, is_bought=is_bought, is_covered=is_covered)
        found += [] if purchase is None else [purchase]
        found += [Proposal(ActionKind.EXPEDITE)] if at.incoming or at.on_order else []
        found.append(Proposal(ActionKind.SUBSTITUTE))
        # Nothing left to sell: an order taken now is one to be cancelled.
        stop = ActionKind.STOP_SELLING if at.available <= 0 else ActionKind.LOWER_SHARE
        found.append(Proposal(stop))
    elif kind == RuleKind.INBOUND_OVERDUE:
        found.append(Proposal(ActionKind.EXPEDITE))
    found.append(Proposal(ActionKind.NONE))
    return [each for each in found if each.quantity != 0]


def on_card(
    kind: str,
    facts: AlertFacts,
    coming: Collection[OnTheWay],
    warehouse: str,
    parameters: Parameters,
) -> int | None:
    """Return the units whose purchase a notice of a level's shortage offers, as `proposals` would.

    `coming` has what is only asked for as well. None where nothing is to be bought, or nobody can
    say how much.
    """
    if kind not in SHORTAGES:
        return None
    at = At(
        warehouse,
        facts.available,
        facts.incoming,
        on_order(coming),
        facts.daily_sales,
        parameters,
    )
    is_covered = enough(kind, facts, coming) is not None
    purchase = _purchase(at, is_bought=facts.is_bought, is_covered=is_covered)
    return None if purchase is None else purchase.quantity or None


def buy(at: At) -> Proposal:
    """Return how much to buy: up to the target, less what is there, coming, or on order."""
    target = _target(at)
    if not target:
        return Proposal(ActionKind.BUY)
    terms = (*target, *_there(at))
    need = sum(term.value for term in terms)
    if need <= 0:
        return Proposal(ActionKind.BUY, 0, terms)
    moq, pack = at.parameters.moq or 1, at.parameters.pack_multiple or 1
    quantity = min(ceil(max(need, moq) / pack) * pack, MAX_QUANTITY)
    rounding = (Term(TermName.MOQ, moq), Term(TermName.PACK_MULTIPLE, pack))
    applied = tuple(term for term in rounding if term.value > 1)
    unit_cost = at.parameters.unit_cost
    return Proposal(
        ActionKind.BUY,
        quantity,
        (*terms, Term(TermName.NEED, need), *applied),
        cost=None if unit_cost is None else unit_cost * quantity,
    )


def surplus(at: At) -> int:
    """Return what a level has over its own need; none where nobody has said what it needs."""
    own = at.parameters.reorder_point
    if own is None:
        own = at.parameters.safety_stock
    if own is None and at.daily_mean is not None:
        own = ceil(at.daily_mean * (_lead_time(at) + REVIEW_DAYS))
    return 0 if own is None else max(0, at.available - own)


def _purchase(at: At, *, is_bought: bool, is_covered: bool) -> Proposal | None:
    return buy(at) if is_bought and not is_covered else None


def _transfer(at: At, elsewhere: Iterable[At]) -> list[Proposal]:
    """Return the transfer from where there is most to spare, as far as the need is known."""
    most = max(elsewhere, key=lambda each: (surplus(each), each.warehouse), default=None)
    if most is None or not surplus(most):
        return []
    spare = Term(TermName.SURPLUS, surplus(most))
    target = _target(at)
    if not target:
        return [Proposal(ActionKind.TRANSFER, None, (spare,), most.warehouse)]
    terms = (*target, *_there(at))
    need = max(0, sum(term.value for term in terms))
    return [
        Proposal(
            ActionKind.TRANSFER,
            min(need, spare.value),
            (*terms, Term(TermName.NEED, need), spare),
            most.warehouse,
        )
    ]


def _target(at: At) -> tuple[Term, ...]:
    """Return the terms of how much there should be once it has arrived; none: nobody can say."""
    given = at.parameters
    if given.reorder_point is not None:
        more = given.order_quantity
        if more is None:
            more = ceil((at.daily_mean or 0) * REVIEW_DAYS)
        return (
            Term(TermName.REORDER_POINT, given.reorder_point),
            Term(TermName.ORDER_QUANTITY, more),
        )
    terms = []
    if at.daily_mean is not None:
        assumed = given.lead_time_days is None
        name = TermName.ASSUMED_LEAD_TIME_DEMAND if assumed else TermName.LEAD_TIME_DEMAND
        terms.append(Term(name, ceil(at.daily_mean * (_lead_time(at) + REVIEW_DAYS))))
    if given.safety_stock is not None:
        terms.append(Term(TermName.SAFETY_STOCK, given.safety_stock))
    if at.daily_mean is None and given.order_quantity is not None:
        terms.append(Term(TermName.ORDER_QUANTITY, given.order_quantity))
    return tuple(terms)


def _there(at: At) -> tuple[Term, ...]:
    return (
        Term(TermName.AVAILABLE, -at.available),
        Term(TermName.INCOMING, -at.incoming),
        Term(TermName.ON_ORDER, -at.on_order),
    )


def _lead_time(at: At) -> float:
    known = at.parameters.lead_time_days
    return LEAD_TIME_DAYS if known is None else known
