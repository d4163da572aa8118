"""A silent channel is a reason to doubt the levels it tells of."""

from dataclasses import replace
from datetime import timedelta

import pytest

from services.alerting.domain.channels import Channels
from services.alerting.domain.draft import Draft
from services.alerting.domain.explanation import Explanation, explain
from services.alerting.domain.kind import RuleKind
from services.alerting.domain.memory import Territory
from services.alerting.domain.outcome import Reason
from services.alerting.domain.rule import Doubts, Limit, Rule
from services.alerting.domain.standing import Standing
from tests.unit.services.alerting.cases import NOON, URGENT, WATCH, level, minutes, rule
from tests.unit.services.alerting.domain.test_draft import A, Worker, events

HOUR = timedelta(hours=1)
ONE = [Limit(WATCH, 1, 1)]
ITS_OWN = rule(RuleKind.DATA_DOUBT, ONE, doubts=Doubts(silence=HOUR))
TILL = rule(RuleKind.DATA_DOUBT, ONE, doubts=Doubts(silence=HOUR, channels=frozenset({"till"})))
SHOP = Channels().after("shop", NOON, ["W"])


def listened(worker: Worker, minute: float) -> Territory:
    """Let the worker have listened since noon, up to a minute after it."""
    territory = worker.territories[0]
    territory.hears_from, territory.heard_until = NOON, minutes(minute)
    return territory


def look(worker: Worker, channels: Channels, minute: float) -> list[tuple[str, float]]:
    """Do what a turn at a minute after noon does; returns what happened."""
    listened(worker, minute)
    return turn(worker, channels, minute)


def turn(worker: Worker, channels: Channels, minute: float) -> list[tuple[str, float]]:
    territory = worker.territories[0]
    territory.listen(worker.book, channels, minutes(minute))
    draft = Draft(
        worker.territories, worker.book, worker.items, worker.parameters, channels=channels
    )
    draft.fire(0, minutes(minute), 1_000)
    draft.look(0, territory.unseen, minutes(minute))
    territory.unseen.clear()
    draft.adopt()
    return events(draft)


@pytest.mark.parametrize(
    ("watching", "channels", "doubted"),
    [
        (ITS_OWN, Channels(), False),
        (ITS_OWN, SHOP, True),
        (ITS_OWN, Channels().after("shop", NOON, ["X"]), False),
        (ITS_OWN, SHOP.after("till", minutes(60), ["W"]), True),
        (TILL, SHOP, False),
        (TILL, SHOP.after("till", NOON, []), True),
        (TILL, SHOP.after("till", minutes(60), ["W"]), False),
    ],
)
def test_a_level_is_in_doubt_when_a_channel_that_tells_of_it_is_silent(
    watching: Rule, channels: Channels, doubted: bool
) -> None:
    worker = Worker(watching)
    worker.hear((0, level(50)))
    assert look(worker, channels, 60) == []
    assert look(worker, channels, 66) == ([("opened", 66)] if doubted else [])


def test_a_channel_that_speaks_again_ends_the_doubt_and_nothing_else_does() -> None:
    worker = Worker(ITS_OWN)
    worker.hear((0, level(50)), (0, level(50, sku="B", warehouse="X")))
    assert look(worker, SHOP, 70) == [("opened", 70)]
    assert look(worker, SHOP, 70_000) == []
    spoken = SHOP.after("shop", minutes(70_001), ["W"])
    assert look(worker, spoken, 70_002) == [("resolved", 70_002)]


def test_only_levels_of_the_warehouses_concerned_are_looked_at() -> None:
    worker = Worker(ITS_OWN)
    worker.hear((0, level(50)), (0, level(50, sku="B", warehouse="X")))
    territory = listened(worker, 70)
    territory.listen(worker.book, SHOP, minutes(70))
    assert territory.unseen == [A]


def turns(worker: Worker, channels: Channels, *, first: int, last: int) -> list[tuple[str, float]]:
    return [each for minute in range(first, last + 1) for each in turn(worker, channels, minute)]


@pytest.mark.parametrize("begins", ["by a claim", "by an outage"])
def test_whoever_has_not_heard_listens_for_five_minutes_before_he_calls_a_channel_silent(
    begins: str,
) -> None:
    worker = Worker(ITS_OWN)
    worker.hear((0, level(50)))
    if begins == "by an outage":
        assert turns(worker, SHOP, first=1, last=50) == []
    assert turns(worker, SHOP, first=70, last=74) == []
    assert turns(worker, SHOP, first=75, last=80) == [("opened", 75)]


def test_a_channel_that_speaks_meanwhile_is_not_silent() -> None:
    worker = Worker(ITS_OWN)
    worker.hear((0, level(50)))
    assert turns(worker, SHOP, first=70, last=73) == []
    spoken = SHOP.after("shop", minutes(73), ["W"])
    assert turns(worker, spoken, first=74, last=132) == []


def test_after_an_outage_what_is_open_goes_on_until_the_channel_speaks() -> None:
    worker = Worker(ITS_OWN)
    worker.hear((0, level(50)))
    assert turns(worker, SHOP, first=56, last=70) == [("opened", 61)]
    assert turns(worker, SHOP, first=90, last=93) == []
    draft = Draft(worker.territories, worker.book, {}, worker.parameters, channels=SHOP)
    draft.hear(0, level(49, version=2), minutes(93))
    draft.adopt()
    assert draft.reasons == {(RuleKind.DATA_DOUBT, Reason.CHANNELS_UNHEARD): 1}
    assert turns(worker, SHOP, first=94, last=100) == []
    spoken = SHOP.after("shop", minutes(100), ["W"])
    assert turns(worker, spoken, first=101, last=101) == [("resolved", 101)]


def test_what_was_open_ends_after_a_claim_if_the_channel_spoke_before_anybody_could_say() -> None:
    worker = Worker(ITS_OWN)
    worker.hear((0, level(50)))
    assert turns(worker, SHOP, first=56, last=70) == [("opened", 61)]
    worker.territories = {0: Territory(worker.territories[0].subjects)}
    assert turns(worker, SHOP, first=71, last=72) == []
    spoken = SHOP.after("shop", minutes(73), ["W"])
    assert turns(worker, spoken, first=73, last=80) == [("resolved", 76)]


def test_what_was_heard_while_nobody_could_say_is_looked_at_once_he_can() -> None:
    pending = replace(ITS_OWN, pending=timedelta(minutes=2))
    worker = Worker(pending)
    worker.hear((0, level(50)))
    assert turns(worker, SHOP, first=56, last=62) == []  # it is pending since 61
    assert turns(worker, SHOP, first=70, last=74) == []
    assert turns(worker, SHOP, first=75, last=80) == [("opened", 75)]


def test_a_message_that_comes_before_the_first_turn_after_an_outage_opens_nothing() -> None:
    worker = Worker(ITS_OWN)
    worker.hear((0, level(50)))
    assert turns(worker, SHOP, first=1, last=50) == []
    draft = Draft(worker.territories, worker.book, {}, worker.parameters, channels=SHOP)
    draft.hear(0, level(49, version=2), minutes(90))
    draft.adopt()
    assert events(draft) == []
    assert turns(worker, SHOP, first=90, last=95) == [("opened", 95)]


BOTH = Doubts(flags=frozenset({"negative"}), silence=HOUR)
LADDER = [Limit(WATCH, 1, 1), Limit(URGENT, 2, 2)]


@pytest.mark.parametrize("limits", [[Limit(URGENT, 2, 2)], LADDER])
def test_what_several_reasons_hold_goes_on_after_a_claim(limits: list[Limit]) -> None:
    """It neither falls to what the reasons that are sure make, nor ends."""
    worker = Worker(rule(RuleKind.DATA_DOUBT, limits, doubts=BOTH))
    worker.hear((0, level(50)))
    assert turns(worker, SHOP, first=56, last=70) == ([("opened", 61)] if limits is LADDER else [])
    draft = Draft(worker.territories, worker.book, {}, worker.parameters, channels=SHOP)
    draft.hear(0, level(-1, version=2, flags=("negative",)), minutes(70))
    draft.adopt()
    assert [each.transition.level for each in draft.announcements] == [URGENT]
    worker.territories = {0: Territory(worker.territories[0].subjects)}
    draft = Draft(worker.territories, worker.book, {}, worker.parameters, channels=SHOP)
    draft.look(0, [A], minutes(71))
    draft.adopt()
    assert draft.reasons == {(RuleKind.DATA_DOUBT, Reason.CHANNELS_UNHEARD): 1}
    assert turns(worker, SHOP, first=71, last=80) == []


def test_what_waits_for_several_reasons_goes_on_waiting_after_a_claim() -> None:
    pending = rule(RuleKind.DATA_DOUBT, [Limit(URGENT, 2, 2)], doubts=BOTH, pending=15)
    worker = Worker(pending)
    worker.hear((0, level(-1, flags=("negative",))))
    assert turns(worker, SHOP, first=56, last=70) == []  # it is pending since 61
    worker.territories = {0: Territory(worker.territories[0].subjects)}
    draft = Draft(worker.territories, worker.book, {}, worker.parameters, channels=SHOP)
    draft.look(0, [A], minutes(71))
    draft.adopt()
    assert turns(worker, SHOP, first=71, last=80) == [("opened", 76)]


def test_what_ends_whether_or_not_a_channel_is_silent_ends_meanwhile() -> None:
    worker = Worker(rule(RuleKind.DATA_DOUBT, [Limit(URGENT, 2, 2)], doubts=BOTH))
    worker.hear((0, level(-1, flags=("negative",))))
    assert turns(worker, SHOP, first=56, last=70) == [("opened", 61)]
    worker.territories = {0: Territory(worker.territories[0].subjects)}
    draft = Draft(worker.territories, worker.book, {}, worker.parameters, channels=SHOP)
    draft.hear(0, level(5, version=2), minutes(71))
    assert events(draft) == [("resolved", 71)]


def test_other_reasons_count_meanwhile() -> None:
    worker = Worker(rule(RuleKind.DATA_DOUBT, LADDER, doubts=BOTH))
    draft = Draft(worker.territories, worker.book, {}, worker.parameters, channels=SHOP)
    draft.hear(0, level(-1, flags=("negative",)), minutes(70))
    assert [each.transition.level for each in draft.announcements] == [WATCH]


def explained(worker: Worker, channels: Channels, minute: float) -> Explanation:
    """Return what is said of the level by what is stored of it, and heard by somebody else."""
    (watching,) = worker.book.rules
    known = worker.territories[0].subjects[A]
    at = Standing(known.level, known.sales, minutes(minute), channels=channels)
    return explain(watching, A, None, at, known.conditions.get(watching.id))


def test_nothing_is_explained_by_a_silence_that_nobody_can_tell_of_yet() -> None:
    worker = Worker(ITS_OWN)
    worker.hear((0, level(50)))
    assert turns(worker, SHOP, first=70, last=74) == []
    said = explained(worker, SHOP, 74)
    assert (said.reason, said.measure) == (Reason.CHANNELS_UNHEARD, None)
    assert turns(worker, SHOP, first=75, last=80) == [("opened", 75)]
    said = explained(worker, SHOP, 80)
    assert (said.reason, said.measure) == (Reason.FIRING, 1)
    spoken = SHOP.after("shop", minutes(81), ["W"])
    assert explained(worker, spoken, 81).reason is Reason.RECOVERED


def test_what_waits_for_a_silence_is_explained_so_once_it_can_be_told_of() -> None:
    worker = Worker(replace(ITS_OWN, pending=timedelta(minutes=15)))
    worker.hear((0, level(50)))
    assert turns(worker, SHOP, first=70, last=74) == []
    assert explained(worker, SHOP, 74).reason is Reason.CHANNELS_UNHEARD
    assert turns(worker, SHOP, first=75, last=80) == []
    assert explained(worker, SHOP, 80).reason is Reason.PENDING
    # Then there is an outage: what is due meanwhile does not open.
    assert turns(worker, SHOP, first=95, last=98) == []
    assert explained(worker, SHOP, 98).reason is Reason.CHANNELS_UNHEARD


def test_what_other_reasons_have_opened_is_not_explained_to_rise_by_a_silence() -> None:
    worker = Worker(rule(RuleKind.DATA_DOUBT, LADDER, doubts=BOTH))
    worker.hear((0, level(-1, flags=("negative",))))
    assert turns(worker, SHOP, first=70, last=74) == []
    said = explained(worker, SHOP, 74)
    assert (said.reason, said.measure) == (Reason.CHANNELS_UNHEARD, 1)
    assert turns(worker, SHOP, first=75, last=80) == [("level_changed", 75)]
    assert explained(worker, SHOP, 80).reason is Reason.FIRING


def test_a_disabled_rule_is_explained_by_what_is_heard() -> None:
    worker = Worker(replace(ITS_OWN, enabled=False))
    worker.hear((0, level(50)))
    said = explained(worker, SHOP, 70)
    assert (said.reason, said.measure) == (Reason.RULE_DISABLED, 1)
