from services.notifier.domain.deliveries import Kind, priority
from shared.events.stock_alerts import AlertLevel


def test_first_notices_go_before_escalations_before_changes_before_digests() -> None:
    kinds = [Kind.FIRST, Kind.ESCALATION, Kind.CHANGE, Kind.DIGEST]
    levels = [AlertLevel.OUT, AlertLevel.URGENT, AlertLevel.WATCH]
    places = [priority(kind, level) for kind in kinds for level in levels]
    assert places == sorted(places)
    assert len(set(places)) == len(places)
