"""Both languages say everything, everything that is said exists, and nothing is left over."""

import re
from pathlib import Path
from string import Formatter
from typing import get_args

import pytest

import services.alerting
import services.console
import services.notifier
import shared.http
from services.alerting.domain.cause import Cause
from services.alerting.domain.kind import RuleKind
from services.console.domain.active_form import WEEKDAYS
from services.console.domain.condition_rows import NUMBERS, OF_NUMBERS, TEXTS
from services.console.domain.language import Language
from services.console.domain.named_places import KINDS as NAMED
from services.console.domain.order_state import STAGES, STANDINGS
from services.console.domain.people_form import CHAT_IDS, COLUMNS
from services.console.domain.rule_form import OF_GOODS, OF_ONE_SKU, SECONDS
from services.console.domain.rule_kinds import BY_KIND, FLAGS
from services.console.domain.text import Text
from services.console.domain.texts import CATALOGUE, Words, number, signed
from services.console.domain.trouble import KINDS as TROUBLES
from services.console.pages.alerts import STATES
from services.console.pages.count_doing import STEPS
from services.console.pages.counts import STATES as COUNT_STATES
from services.console.pages.unknown import KINDS as UNKNOWN_KINDS
from services.console.upstream.reviews import Dimension
from services.console.upstream.rule_changes import PARTS
from services.ledger.domain.statement import OPENING_BALANCE
from services.notifier.domain.addresses import DestinationKind
from services.notifier.domain.deliveries import Kind, Reason, State
from services.notifier.domain.holding import HoldReason
from services.notifier.domain.outcomes import Verdict
from shared.events.alert_responses import FeedbackReason
from shared.events.stock_alerts import (
    ActionKind,
    ActionState,
    AlertEvent,
    AlertLevel,
    Expected,
    HushKind,
)
from shared.events.stock_changes import ChangeType

PACKAGE = Path(services.console.__file__).parent
ZH, EN = Words(Language.CHINESE), Words(Language.ENGLISH)

# A statement tells of a transfer that was shipped where it is going, too, and of counts that wait.
TYPES = {
    *(f"type.{kind}" for kind in ChangeType),
    *("type.transfer_arriving", "type.count_waiting", f"type.{OPENING_BALANCE}"),
}


def problems() -> set[str]:
    """Return the codes of all problems that alerting and the notifier answer with."""
    folders = (services.alerting, services.notifier, shared.http)
    files = [path for each in folders for path in Path(each.__path__[0]).rglob("*.py")]
    text = "\n".join(path.read_text() for path in sorted(files))
    named = re.findall(r"""\bProblem\(\s*HTTPStatus\.\w+,\s*"(\w+)\"""", text)
    return {*named, "unknown_playbook", "unknown_calendar"}


REFUSALS = (
    problems()
    # What counts as away, or as nothing there.
    - {"unavailable", "unauthorised", "internal", "not_found"}
    # What pages have words of their own for.
    - {"address_taken", "still_responsible", "unreadable_sheet"}
    # Of what no page asks for.
    - {"default_taken", "in_use", "silence_out_of_range", "unsupported_media_type"}
    - {"key_in_use", "not_by_mail", "unwritable", "forged"}
)
"""Codes of problems that somebody may see."""
# Keys that pages put together from a value.
MADE = {
    *(f"alert.event.{event}" for event in AlertEvent),
    *(f"alert.hushed.{kind}" for kind in HushKind),
    *(f"alerts.state.{state}" for state in STATES),
    *(f"named.{kind}" for kind in NAMED),
    *("alert.snooze.1", "alert.snooze.8", "alert.snooze.24"),
    *(f"delivery.state.{state}" for state in State),
    *(f"delivery.kind.{kind}" for kind in (*Kind, "escalation")),
    *(f"delivery.held.{reason}" for reason in HoldReason),
    *(f"delivery.why.{reason}" for reason in Reason),
    *(f"delivery.verdict.{verdict}" for verdict in (*Verdict, "none")),
    *(f"delivery.{name}" for name in ("reached", "left", "in_doubt", "refused", "overtaken")),
    *(f"destination.kind.{kind}" for kind in (*DestinationKind, "wecom_app")),
    *(f"trouble.{one}" for one in TROUBLES),
    *(f"kind.{kind}{hint}" for kind in RuleKind for hint in ("", ".hint")),
    *(f"kind.{traits.unit}" for traits in BY_KIND.values() if traits.unit),
    *(f"kind.times.{kind}" for kind, traits in BY_KIND.items() if traits.unit == "times"),
    *(f"alert.{name}" for name in ("next_arrival", "overdue")),
    *(f"subject.{kind}" for kind in ("pool", "product")),
    *(f"rule.subject.{kind}" for kind in ("level", "pool")),
    *(f"field.{name}" for name in (*NUMBERS, *TEXTS)),
    *(f"rule.compare.{sign}" for sign in OF_NUMBERS),
    *(f"rule.unit.{unit}" for unit in SECONDS),
    *(f"rule.doubt.{flag}" for flag in FLAGS),
    *(f"rule.enter.{way}" for way in ("below", "above", "reasons")),
    *(f"rule.exit.{way}" for way in ("below", "above", "reasons")),
    *(f"rule.scope.{name}" for name in (*OF_GOODS, *OF_ONE_SKU)),
    *(f"rule.scope.{name}.hint" for name in OF_ONE_SKU),
    *(f"rule.condition.{name}" for name in ("nested", "mend")),
    *(f"rule.{name}" for name in ("pending", "recovery")),
    *(f"rule.active.day.{day}" for day in WEEKDAYS),
    *(f"rule.part.{name}" for name in (*set(PARTS.values()), "other")),
    *(f"table.{name}" for name in COLUMNS),
    *(
        f"table.{code}"
        for code in ("repeated", "missing", "unknown_person", "both", "unknown_group")
    ),
    *(f"{of}.{was}" for of in ("people", "groups") for was in ("id.taken", "changed", "gone")),
    *(f"people.language.{language}" for language in Language),
    *(f"people.{name}.wrong" for name in ("email", *CHAT_IDS)),
    *(f"people.{name}" for name in CHAT_IDS),
    *(f"people.chat.{name}" for name in CHAT_IDS),
    *(key for key in CATALOGUE if key.endswith(".one")),
    *("deliveries", "rules", "people"),
    *(f"wrong.{code}" for code in ("string_too_long", "less_than_equal")),
    *(f"action.{kind}" for kind in ActionKind),
    *(f"action.state.{state}" for state in ActionState),
    *(
        f"action.step.{step}"
        for step in ("approve", "reject", "order", "cancel", "receive", "done")
    ),
    *(f"action.field.{name}" for name in ("quantity", "source", "reason", "note", "due_at")),
    *(f"playbook.expects.{what}" for what in Expected),
    *(f"feedback.{reason}" for reason in FeedbackReason),
    *(f"refused.{code}" for code in REFUSALS),
    *(f"review.by.{dimension}" for dimension in get_args(Dimension)),
    *(f"review.{name}" for name in ("to_acknowledge", "to_resolve", "within_sla", "right")),
    *(f"review.{name}" for name in ("alerts", "prevented", "met_late", "missed", "lost")),
    *(f"case.state.{state}" for state in ("open", "confirmed", "closed")),
    *(f"case.cause.{cause}" for cause in Cause),
    *(f"counts.{part}{step}" for part in ("", "sure.", "confirm.") for step in STEPS),
    *(f"counts.done.{some}{step}" for some in ("", "one.") for step in STEPS),
    *(f"counts.state.{state}" for state in COUNT_STATES),
    *("refused.count_settled", "refused.stocktake_changed"),
    *(f"unknown.{part}{kind}" for part in ("", "title.", "lead.") for kind in UNKNOWN_KINDS),
    *(f"orders.standing.{one}" for one in STANDINGS),
    *(f"orders.stage.{one}" for one in STAGES),
    *(f"orders.trouble.{one}" for one in ("moq", "pack")),
    *("orders", "case.confirm", "case.close", "review"),
    *(f"alert.state.{state}" for state in ("open", "recovering", "resolved", "retracted")),
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
    return "\n".join(path.read_text() for path in files if not path.name.endswith("texts.py"))


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


def test_problems_are_found_where_they_are() -> None:
    assert {"covered", "not_retryable", "disabled", "snooze_out_of_range", "invalid"} <= REFUSALS


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
