"""Both languages say everything, everything that is said exists, and nothing is left over."""

import re
from pathlib import Path
from string import Formatter

import pytest

import services.console
from services.console.domain.language import Language
from services.console.domain.texts import CATALOGUE, Text, Words, number, signed
from shared.events.stock_alerts import AlertEvent, AlertLevel, HushKind
from shared.events.stock_changes import ChangeType

PACKAGE = Path(services.console.__file__).parent
ZH, EN = Words(Language.CHINESE), Words(Language.ENGLISH)

# A statement tells of a transfer that was shipped where it is going, too, and of counts that wait.
TYPES = {
    *(f"type.{kind}" for kind in ChangeType),
    *("type.transfer_arriving", "type.count_waiting"),
}
# Keys that pages put together from a value.
MADE = {
    *(f"alert.event.{event}" for event in AlertEvent),
    *(f"alert.hushed.{kind}" for kind in HushKind),
    *("alert.snooze.1", "alert.snooze.8"),
    *(f"alert.state.{state}" for state in ("open", "recovering", "resolved")),
    *(f"level.{level}" for level in AlertLevel),
    *(f"now.current.{stage}" for stage in ("ledger", "alerting", "notifier")),
    *(f"service.{one}" for one in ("ingest", "ledger", "alerting", "notifier", "standin")),
    *TYPES,
    *("on_hand", "reserved", "unavailable", "incoming", "now", "stock", "inbox", "not_found"),
}
MACHINE_ROOM = re.compile(
    r"topic|dead letter|quarantine|partition|kafka|offset|consumer|主题|死信|隔离区|分区|消费者",
    re.IGNORECASE,
)


def sources() -> str:
    files = [*PACKAGE.rglob("*.html"), *PACKAGE.rglob("*.py")]
    return "\n".join(path.read_text() for path in files if path.name != "texts.py")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize(("key", "text"), CATALOGUE.items(), ids=list(CATALOGUE))
def test_a_text_exists_in_both_languages_with_the_same_values(key: str, text: Text) -> None:
    assert all(one.strip() for one in text), key
    assert placeholders(text.zh) == placeholders(text.en)


@pytest.mark.parametrize(("key", "text"), CATALOGUE.items(), ids=list(CATALOGUE))
def test_words_of_the_machine_room_do_not_appear(key: str, text: Text) -> None:
    assert not MACHINE_ROOM.search(text.zh + text.en), key


def test_every_text_that_pages_name_exists() -> None:
    named = set(re.findall(r"""\b(?:t|words|self)\(\s*["']([a-z_.]+)["']""", sources()))
    assert len(named) > 80
    assert {key for key in named if key not in CATALOGUE and not key.endswith(".")} == set()


def test_keys_that_are_put_together_exist() -> None:
    assert set(CATALOGUE) >= MADE


@pytest.mark.parametrize("words", [ZH, EN], ids=["zh", "en"])
def test_every_type_of_change_has_a_name_of_its_own(words: Words) -> None:
    assert len({words(key) for key in TYPES}) == len(TYPES)


def test_no_text_is_left_over() -> None:
    code = sources() + (PACKAGE / "domain" / "texts.py").read_text().partition("class Words")[2]
    unused = [
        key
        for key in CATALOGUE
        if key not in MADE and f'"{key}"' not in code and f"'{key}'" not in code
    ]
    assert unused == []


def test_quantities_carry_their_unit() -> None:
    assert ZH.units(1234) == "1,234 件"
    assert EN.units(1) == "1 unit"
    assert EN.units(-3) == "−3 units"
    assert ZH.units(None) == "—"


def test_limits_are_in_the_unit_of_the_kind() -> None:
    assert EN.limit("days_of_cover", 2.5) == "2.5 days"
    assert EN.limit("overstock", 90.0) == "90 days"
    assert EN.limit("below", 20.0) == "20 units"
    assert ZH.days(3.0) == "3 天"


def test_names_come_in_the_viewers_language_or_in_any() -> None:
    assert EN.named({"zh-CN": "断货", "en": "Out of stock"}) == "Out of stock"
    assert EN.named({"zh-CN": "断货"}) == "断货"
    assert EN.named({}) == "—"


def test_changes_carry_their_sign() -> None:
    assert [signed(value) for value in (1200, 0, -5)] == ["+1,200", "0", "−5"]
    assert number(-1000) == "−1,000"
