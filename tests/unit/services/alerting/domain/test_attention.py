"""What is told at once, what is gathered, and what the budget keeps in the list."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.alerting.domain.attention import (
    LONGEST_KEY,
    ON_ITS_WAY,
    AttentionPolicy,
    Budget,
    Decision,
    News,
    PersonDay,
    Spent,
    Way,
    concerned,
    key_of,
)
from services.alerting.domain.working_time import WorkingCalendar
from shared.events.stock_alerts import AlertLevel, AtRisk, GatherReason
from tests.unit.services.alerting.cases import OUT, URGENT, WATCH

POLICY = AttentionPolicy(money=Decimal(1_000))


def at(text: str) -> datetime:
    """Return an instant in UTC, of a time in Shanghai in March 2026 (the 2nd is a Monday)."""
    return datetime.fromisoformat(f"2026-03-{text}+08:00").astimezone(UTC)


NOW = at("02T10:00")


def news(
    level: AlertLevel = URGENT,
    stock_class: str | None = "B",
    *,
    owner: str | None = "lin",
    supplier: str | None = "S1",
    money: int | None = None,
    known: GatherReason | None = None,
) -> News:
    """Return news of one of lin's SKUs of class B."""
    risk = None if money is None else AtRisk(units=1, money=Decimal(money))
    return News(level, "low", owner, stock_class, supplier, risk, known)


def budget(policy: AttentionPolicy = POLICY) -> Budget:
    return Budget(policy, {}, defaultdict(Spent))


def decided(one: News, now: datetime = NOW, policy: AttentionPolicy = POLICY) -> Decision:
    return budget(policy).decide(one, now)


@pytest.mark.parametrize(
    "one",
    [
        news(OUT, "A"),
        news(OUT, "AX"),
        news(OUT, None),
        news(WATCH, "C", money=1_001),
        news(OUT, "A", owner=None),
    ],
)
def test_what_cannot_wait_is_told_at_once(one: News) -> None:
    assert decided(one) == Decision(Way.AT_ONCE)


@pytest.mark.parametrize(
    ("one", "by"),
    [
        (news(URGENT), "02T10:05"),
        (news(OUT, "C"), "02T10:05"),
        (news(OUT, "ABC"), "02T10:05"),
        (news(URGENT, "A"), "02T10:05"),
        (news(WATCH), "03T09:00"),
        (news(WATCH, "A", money=1_000), "03T09:00"),
        # Nobody has given it a class: the first days are not silent.
        (news(WATCH, None), "02T10:05"),
    ],
)
def test_what_can_wait_is_told_with_others_of_its_owner_and_supplier(one: News, by: str) -> None:
    way, gather = decided(one)
    assert way is Way.GATHERED
    assert gather is not None
    assert (gather.by, gather.why) == (at(by), GatherReason.SAME_OWNER)


@pytest.mark.parametrize(
    ("now", "morning"),
    [
        ("02T08:59", "02T09:00"),
        ("02T09:00", "03T09:00"),
        ("06T12:00", "09T09:00"),  # a Friday
        ("07T08:00", "09T09:00"),
    ],
)
def test_what_is_to_be_watched_is_told_on_the_morning_of_a_working_day(
    now: str, morning: str
) -> None:
    assert POLICY.next_morning(at(now)) == at(morning)


def test_mornings_are_those_of_the_owners_zone() -> None:
    there = AttentionPolicy(zone="America/New_York", watch_at=time(8, 30))
    assert there.next_morning(at("02T10:00")) == at("02T21:30")


@pytest.mark.parametrize(
    ("now", "morning"),
    [
        ("2025-09-27T12", "2025-09-28T09"),  # a Sunday that is worked (调休)
        ("2025-09-30T12", "2025-10-09T09"),  # eight days off
        ("2025-10-10T12", "2025-10-11T09"),  # a Saturday that is worked
    ],
)
def test_mornings_are_those_on_which_people_work_by_the_calendar(now: str, morning: str) -> None:
    hours = {day: ((time(9), time(18)),) for day in range(5)}
    noon, told = (
        datetime.fromisoformat(each).replace(tzinfo=ZoneInfo("Asia/Shanghai"))
        for each in (now, morning)
    )
    days = WorkingCalendar("Asia/Shanghai", hours, "CN")
    policy = AttentionPolicy(calendar="office", days=days)
    assert policy.next_morning(noon) == told


def test_a_calendar_on_which_nobody_works_for_long_puts_nothing_off_for_ever() -> None:
    hours = {0: ((time(9), time(18)),)}
    off = frozenset(NOW.date() + timedelta(days=each) for each in range(100))
    policy = AttentionPolicy(days=WorkingCalendar("Asia/Shanghai", hours, off=off))
    assert policy.next_morning(NOW) == AttentionPolicy().next_morning(NOW)


def test_what_comes_while_a_message_is_gathered_joins_it() -> None:
    spent = budget()
    first = spent.decide(news(), NOW)
    second = spent.decide(news(), NOW + timedelta(minutes=4, seconds=57))
    late = spent.decide(news(), NOW + timedelta(minutes=5) - ON_ITS_WAY)
    assert first == second
    assert first.gather is not None
    assert late.gather is not None
    assert (late.gather.key, late.gather.by) != (first.gather.key, first.gather.by)
    assert spent.spent["lin", NOW.date()] == Spent(interruptions=2, gathered=3)


def test_each_owner_supplier_and_urgency_has_a_message_of_its_own() -> None:
    spent = budget()
    several = [news(), news(supplier="S2"), news(owner="wang"), news(WATCH), news(supplier=None)]
    keys = {decision.gather.key for one in several if (decision := spent.decide(one, NOW)).gather}
    assert len(keys) == len(several)


@pytest.mark.parametrize(
    "why",
    [
        GatherReason.FIRST_IMPORT,
        GatherReason.CHANGED_RULE,
        GatherReason.CHANGED_PARAMETERS,
        GatherReason.CHANGED_CATALOGUE,
    ],
)
def test_what_was_known_before_is_one_summary_and_costs_nobody_anything(
    why: GatherReason,
) -> None:
    spent = budget()
    several = [news(OUT, "A", known=why), news(owner="wang", known=why), news(WATCH, known=why)]
    decisions = [spent.decide(one, NOW) for one in several]
    assert {each.way for each in decisions} == {Way.KNOWN}
    assert len({each.gather for each in decisions}) == 1
    assert spent.spent == {}


def test_over_the_budget_it_stands_in_the_list() -> None:
    spent = budget(AttentionPolicy(interruptions_a_day=2))
    ways = [spent.decide(news(supplier=f"S{n}"), NOW).way for n in range(4)]
    assert ways == [Way.GATHERED, Way.GATHERED, Way.BUDGET, Way.BUDGET]
    # Whoever joins a message interrupts nobody once more, and what cannot wait does not count.
    assert spent.decide(news(supplier="S0"), NOW).way is Way.GATHERED
    assert spent.decide(news(OUT, "A"), NOW).way is Way.AT_ONCE
    assert spent.decide(news(owner="wang"), NOW).way is Way.GATHERED
    assert spent.decide(news(owner=None, supplier="S9"), NOW).way is Way.GATHERED
    tomorrow = NOW + timedelta(days=1)
    assert spent.decide(news(supplier="S7"), tomorrow).way is Way.GATHERED


def test_without_a_policy_in_force_everything_is_told_at_once() -> None:
    off = AttentionPolicy(enabled=False)
    for one in (news(), news(WATCH), news(known=GatherReason.FIRST_IMPORT)):
        assert decided(one, policy=off) == Decision(Way.AT_ONCE)
        assert (key_of(one, off, NOW), concerned(one, off, NOW)) == (None, [])


some_news = st.builds(
    news,
    st.sampled_from(AlertLevel),
    st.sampled_from([None, "A", "AX", "B", "C"]),
    owner=st.sampled_from([None, "lin", "wang"]),
    supplier=st.sampled_from([None, "S1", "S2", "S3"]),
    money=st.sampled_from([None, 10, 5_000]),
    known=st.sampled_from([None, None, None, GatherReason.FIRST_IMPORT]),
)


@given(
    st.lists(st.tuples(some_news, st.integers(0, 600)), max_size=60),
    st.integers(0, 3),
)
def test_nobody_is_interrupted_beyond_the_budget_but_by_what_cannot_wait(
    told: list[tuple[News, int]], most: int
) -> None:
    policy = AttentionPolicy(money=Decimal(1_000), interruptions_a_day=most)
    booked: dict[PersonDay, Spent] = {}
    keeper, now = Budget(policy, {}, booked), NOW
    ways: Counter[Way] = Counter()
    messages: dict[str, set[str]] = defaultdict(set)
    for one, minutes in told:
        now += timedelta(minutes=minutes)
        booked |= {each: Spent() for each in concerned(one, policy, now) if each not in booked}
        way, gather = keeper.decide(one, now)
        ways[way] += 1
        if way is Way.AT_ONCE:
            pressing = one.level is OUT and one.stock_class in {None, "A", "AX"}
            assert pressing or (one.at_risk is not None and one.at_risk.money == Decimal(5_000))
        if way is Way.GATHERED and one.owner is not None and gather is not None:
            messages[f"{one.owner} {policy.day_of(gather.by)}"].add(gather.key)
    assert sum(ways.values()) == len(told)
    assert all(len(keys) <= most for keys in messages.values())
    for (person, day), spent in booked.items():
        assert spent.interruptions == len(messages[f"{person} {day}"])
    owned = [one for one, _ in told if one.owner is not None and one.known is None]
    counted = booked.values()
    assert sum(each.at_once + each.gathered + each.held_back for each in counted) == len(owned)


@pytest.mark.parametrize("length", [128, 300, 5_000])
def test_however_long_an_owners_name_is_it_is_told_together_with_what_is_theirs(
    length: int,
) -> None:
    gathering = budget()
    owner = "缺" * length
    first = gathering.decide(news(owner=owner), NOW)
    again = gathering.decide(news(owner=owner), NOW)
    other = gathering.decide(news(owner=owner + "x"), NOW)
    assert first.gather is not None
    assert again.gather == first.gather
    assert other.gather is not None
    assert other.gather.key != first.gather.key
    assert len(key_of(news(owner=owner), POLICY, NOW) or "") <= LONGEST_KEY
