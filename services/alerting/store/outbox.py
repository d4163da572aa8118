"""Alerting's outboxes: notices and reports that are written but not yet with the broker."""

from services.alerting.store.turns import Turn
from shared.database.outbox import Shelf

# Revisions of an alert are written one after another's commit, so ids have their order.
NOTICES = Shelf("outbox", "alert_id", Turn.NOTICES)
REPORTS = Shelf("report_outbox", "report_id", Turn.REPORTS)
