"""What happened to an alert and what people did about it, as a card shows it once it is changed."""

from collections.abc import Sequence

from services.notifier.destinations.views import Line, Phrasing, View
from services.notifier.destinations.words import Words
from shared.events.stock_alerts import StockAlert


def happened(alert: StockAlert, phrasing: Phrasing) -> str:
    """Return what a revision is about, who did it and when."""
    who = [] if alert.actor is None else [phrasing.typed(alert.called(alert.actor))]
    said = [phrasing.words.happened(alert), *who, phrasing.moment(alert.occurred_at)]
    return " · ".join(said)


def by_people(view: View, words: Words) -> Sequence[Line]:
    """Return the lines of a notice that say what people did or said, and how long it took."""
    said = {
        words.action,
        words.note,
        words.snoozed_until,
        words.acknowledged_by,
        words.owner,
        words.lasted,
    }
    return [line for line in view.lines if line.label in said]
