"""Golden samples of every published version: whoever reads a topic today reads all of them.

A sample is never changed once its version was published; a new version gets a folder of its own.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from services.alerting.domain.channels import Channels
from services.alerting.inbound import alert_responses as alerting_responses
from services.alerting.inbound import stock_levels as alerting_levels
from services.alerting.inbound.catalog_items import Catalogue
from services.alerting.inbound.channel_health import take as take_health
from services.console.domain.feed import Feed, of_episode, of_level
from services.console.inbound import stock_alerts as console_alerts
from services.console.inbound import stock_levels as console_levels
from services.ingest.domain.quarantine import Reason
from services.ingest.inbound.stock_changes_dead import entry_of
from services.ingest.outbound.stock_changes import decode as decode_change
from services.ledger.inbound import catalog_items, catalog_warehouses, catalogue, stock_changes
from services.ledger.inbound import stock_levels as ledger_levels
from services.notifier.inbound import alert_reports as notifier_reports
from services.notifier.inbound import stock_alerts as notifier_alerts
from shared.events.alert_reports import AlertReport
from shared.events.alert_responses import AlertResponse
from shared.events.base import Event
from shared.events.catalog_items import CatalogItem
from shared.events.catalog_warehouses import CatalogWarehouse
from shared.events.channel_health import ChannelHealth
from shared.events.dead_letters import DeadLetter
from shared.events.stock_alerts import StockAlert
from shared.events.stock_changes import Bucket, ChangeType, StockChange
from shared.events.stock_levels import StockLevel, level_key
from shared.events.topics import TOPICS
from shared.kafka.handler import Batch
from tests.factories.records import FakeRecord

SAMPLES = Path(__file__).parent / "samples"
FILES = sorted(SAMPLES.glob("*/v*/*.json"))
MODELS: dict[str, type[Event]] = {
    "stock.changes": StockChange,
    "stock.levels": StockLevel,
    "stock.alerts": StockAlert,
    "alert.responses": AlertResponse,
    "alert.reports": AlertReport,
    "catalog.items": CatalogItem,
    "catalog.warehouses": CatalogWarehouse,
    "channel.health": ChannelHealth,
    "stock.changes.dead": DeadLetter,
    "stock.levels.dead": DeadLetter,
    "stock.alerts.dead": DeadLetter,
    "alert.responses.dead": DeadLetter,
    "alert.reports.dead": DeadLetter,
    "catalog.items.dead": DeadLetter,
    "catalog.warehouses.dead": DeadLetter,
    "channel.health.dead": DeadLetter,
}


def _name(path: Path) -> str:
    return path.relative_to(SAMPLES).with_suffix("").as_posix()


def of_topic(topic: str) -> list[Path]:
    return [path for path in FILES if path.relative_to(SAMPLES).parts[0] == topic]


def record(path: Path) -> FakeRecord:
    # As compact as a writer would send it.
    value = json.dumps(json.loads(path.read_text(encoding="utf-8")), ensure_ascii=False)
    return FakeRecord(value.encode(), topic=path.relative_to(SAMPLES).parts[0])


def test_every_topic_has_samples_of_every_version() -> None:
    published = {path.relative_to(SAMPLES).parts[:2] for path in FILES}
    assert published == {(topic, "v1") for topic in TOPICS}
    assert set(MODELS) == set(TOPICS)


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_sample_is_what_its_message_says_and_comes_back_as_it_was(path: Path) -> None:
    model = MODELS[path.relative_to(SAMPLES).parts[0]]
    event = model.model_validate_json(record(path).value or b"")
    assert model.model_validate_json(event.encode()) == event


@pytest.mark.parametrize("path", of_topic("stock.changes"), ids=_name)
def test_the_ledger_reads_stock_changes(path: Path) -> None:
    batch = Batch([record(path)])
    (said,) = stock_changes.read(batch)
    assert not batch.dead_letters
    assert said is not None
    meant = StockChange.model_validate_json(record(path).value or b"")
    assert {name: getattr(said, name) for name in type(meant).model_fields} == dict(meant)


@pytest.mark.parametrize("path", of_topic("stock.changes"), ids=_name)
def test_ingest_reads_stock_changes_that_wait(path: Path) -> None:
    # What waits was written by ingest, which always says the version and the line.
    value = json.dumps({"v": 1, "line": "0"} | json.loads(record(path).value or b""))
    said = decode_change(value)
    meant = StockChange.model_validate_json(value)
    assert {name: getattr(said, name) for name in type(meant).model_fields} == dict(meant)


def test_every_type_of_change_and_every_bucket_has_a_sample() -> None:
    changes = [json.loads(path.read_text(encoding="utf-8")) for path in of_topic("stock.changes")]
    assert {each["type"] for each in changes} == set(ChangeType)
    assert {each["bucket"] for each in changes if each.get("bucket")} == set(Bucket)


@pytest.mark.parametrize("path", of_topic("stock.levels"), ids=_name)
def test_alerting_reads_stock_levels(path: Path) -> None:
    batch = Batch([record(path)])
    ((_, level),) = alerting_levels.read(batch, 1)
    assert not batch.dead_letters
    meant = StockLevel.model_validate_json(record(path).value or b"")
    assert (level.sku, level.available, level.low_water, level.sold_total) == (
        meant.sku,
        meant.available,
        meant.low_water,
        meant.sold_total,
    )


@pytest.mark.parametrize("path", of_topic("stock.levels"), ids=_name)
def test_the_console_reads_stock_levels(path: Path) -> None:
    meant = StockLevel.model_validate_json(record(path).value or b"")
    feed = Feed()
    page = feed.subscribe()
    page.watch({of_level(meant.sku, meant.warehouse)})
    keyed = replace(record(path), key=level_key(meant.sku, meant.warehouse))
    console_levels.take([keyed], feed)
    assert list(page._pending.values()) == [meant]


@pytest.mark.parametrize("path", of_topic("stock.levels"), ids=_name)
def test_the_ledger_reads_its_own_stock_levels(path: Path) -> None:
    meant = StockLevel.model_validate_json(record(path).value or b"")
    assert ledger_levels.read(record(path)) == meant


@pytest.mark.parametrize("path", of_topic("stock.alerts"), ids=_name)
def test_the_notifier_reads_stock_alerts(path: Path) -> None:
    batch = Batch([record(path)])
    (incoming,) = notifier_alerts.read(batch)
    assert not batch.dead_letters
    assert incoming.alert == StockAlert.model_validate_json(record(path).value or b"")


@pytest.mark.parametrize("path", of_topic("alert.reports"), ids=_name)
def test_the_notifier_reads_alert_reports(path: Path) -> None:
    batch = Batch([record(path)])
    (incoming,) = notifier_reports.read(batch)
    assert not batch.dead_letters
    assert incoming.report == AlertReport.model_validate_json(record(path).value or b"")


@pytest.mark.parametrize("path", of_topic("stock.alerts"), ids=_name)
def test_the_console_reads_stock_alerts(path: Path) -> None:
    meant = StockAlert.model_validate_json(record(path).value or b"")
    feed = Feed()
    page = feed.subscribe()
    page.watch({of_episode(str(meant.alert_id))})
    console_alerts.take([record(path)], feed)
    assert page._refetch


@pytest.mark.parametrize("path", of_topic("alert.responses"), ids=_name)
def test_alerting_reads_alert_responses(path: Path) -> None:
    batch = Batch([record(path)])
    (incoming,) = alerting_responses.read(batch)
    assert not batch.dead_letters
    assert incoming.response == AlertResponse.model_validate_json(record(path).value or b"")


@pytest.mark.parametrize("path", of_topic("catalog.items"), ids=_name)
def test_alerting_reads_catalog_items(path: Path) -> None:
    catalogue = Catalogue()
    catalogue.take(record(path))
    meant = CatalogItem.model_validate_json(record(path).value or b"")
    assert catalogue._versions == {meant.sku: meant.version}


@pytest.mark.parametrize("path", of_topic("catalog.items"), ids=_name)
def test_the_ledger_reads_catalog_items(path: Path) -> None:
    batch = Batch([record(path)])
    assert catalogue.read(batch, catalog_items.SOURCE) == [
        CatalogItem.model_validate_json(record(path).value or b"")
    ]
    assert not batch.dead_letters


@pytest.mark.parametrize("path", of_topic("catalog.warehouses"), ids=_name)
def test_the_ledger_reads_catalog_warehouses(path: Path) -> None:
    batch = Batch([record(path)])
    assert catalogue.read(batch, catalog_warehouses.SOURCE) == [
        CatalogWarehouse.model_validate_json(record(path).value or b"")
    ]
    assert not batch.dead_letters


@pytest.mark.parametrize("path", of_topic("channel.health"), ids=_name)
def test_alerting_reads_channel_health(path: Path) -> None:
    meant = ChannelHealth.model_validate_json(record(path).value or b"")
    channels = take_health(Channels(), record(path))
    assert channels.heard_at == {meant.channel: meant.heard_at}
    assert all(meant.channel in channels.telling_of(each) for each in meant.warehouses)


@pytest.mark.parametrize("path", of_topic("stock.changes.dead"), ids=_name)
def test_ingest_reads_dead_changes(path: Path) -> None:
    entry = entry_of(record(path))
    letter = DeadLetter.model_validate_json(record(path).value or b"")
    assert entry.reason == Reason(letter.reason)
    assert (entry.detail, entry.first_payload) == (letter.detail, letter.first)
    assert entry.source is not None
    assert (entry.source.topic, entry.source.offset) == ("stock.changes", letter.offset)
