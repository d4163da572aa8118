"""The figures of a period, of a history small enough to be counted by hand."""

import io
import json
from datetime import timedelta
from decimal import Decimal
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid5

import pytest
from openpyxl import load_workbook

from tests.integration.alerting.service import NOON, Alerting

pytestmark = pytest.mark.stack

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
BEGINNING, END = NOON - DAY, NOON + 9 * DAY
WITHIN = {"from": BEGINNING.isoformat(), "to": END.isoformat()}

Step = tuple[str, timedelta, dict[str, Any]]


async def past(
    alerting: Alerting,
    number: int,
    sku: str,
    *steps: Step,
    rule: str = "low",
    kind: str = "below",
    owner: str | None = "lin",
    stock_class: str | None = None,
    at_risk: tuple[float, str | None] | None = None,
) -> UUID:
    """Store an episode as it would have been, by (event, after noon, what is otherwise)."""
    id_ = uuid5(UUID(int=0), str(number))
    facts: dict[str, Any] = {"available": 10, "on_hand": 10, "low_water": 10}
    facts |= {"daily_sales": 4.0, "days_of_cover": 2.5}
    acknowledged = next((at for event, at, _ in steps if event == "acknowledged"), None)
    ended = next((at for event, at, _ in steps if event in {"resolved", "retracted"}), None)
    await alerting.rows(
        """
        INSERT INTO alert (id, number, revision, rule_id, subject_kind, sku, warehouse, level,
                           rule, labels, facts, opened_at, resolved_at, acknowledged_at,
                           acknowledged_by, owner, opened_class, at_risk_units, at_risk_money)
        VALUES ($1, $2, $3, $4, 'level', $5, 'W', 'urgent', $6, '{}', $12, $7, $8, $9, $10, $11,
                $13, $14, $15)
        """,
        id_,
        number,
        len(steps),
        rule,
        sku,
        json.dumps({"id": rule, "version": 1, "kind": kind, "name": {}}),
        NOON + steps[0][1],
        ended and NOON + ended,
        acknowledged and NOON + acknowledged,
        acknowledged and "lin",
        owner,
        json.dumps(facts | steps[-1][2].get("facts", {})),
        stock_class,
        None if at_risk is None else at_risk[0],
        None if at_risk is None or at_risk[1] is None else Decimal(at_risk[1]),
    )
    for revision, (event, at, other) in enumerate(steps, 1):
        await alerting.rows(
            """
            INSERT INTO alert_history (alert_id, revision, event, level, reason, facts,
                                       occurred_at, recorded_at, note, hush, tell_at,
                                       previous_level, actor)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $7, $8, $9, $10, $11, $12)
            """,
            id_,
            revision,
            event,
            other.get("level", "urgent"),
            other.get("reason"),
            json.dumps(facts | other.get("facts", {})),
            NOON + at,
            other.get("note"),
            other.get("hush"),
            None if "tell_at" not in other else NOON + other["tell_at"],
            other.get("previous_level"),
            other.get("actor"),
        )
        if event == "feedback":
            await alerting.rows(
                "INSERT INTO feedback (alert_id, person, reason, at) VALUES ($1, 'lin', $2, $3)",
                id_,
                other.get("reason"),
                NOON + at,
            )
    return id_


async def ran_out(
    alerting: Alerting, sku: str, began: timedelta, ended: timedelta | None, **known: object
) -> None:
    await alerting.rows(
        """
        INSERT INTO stock_out (sku, warehouse, began_at, heard_at, ended_at, found, judged,
                               daily_sales, doubts, supply, stock_class, price)
        VALUES ($1, 'W', $2, $2, $3, false, true, $4, '', '[]', $5, $6)
        """,
        sku,
        NOON + began,
        None if ended is None else NOON + ended,
        known.get("daily_sales"),
        known.get("stock_class"),
        known.get("price"),
    )


RECOVERED = {"reason": "recovered", "facts": {"available": 80}}


async def a_week(alerting: Alerting) -> None:
    """Store what the tests count.

    P: warned of, taken on after 30 minutes, right by feedback, escalated, and stock came.
    L: warned of 12 hours before it ran out, taken on after 300 minutes; out for a day.
    M: nobody was told before it ran out (a silence), told 6 hours after.
    K: known before, told to nobody, of no owner.
    O: too much of it, seen to by nobody; a false alarm.
    """
    await past(
        alerting,
        1,
        "P",
        ("opened", timedelta(), {}),
        ("acknowledged", 30 * MINUTE, {}),
        ("escalated", 40 * MINUTE, {}),
        ("feedback", HOUR, {"reason": "not_actionable"}),
        ("feedback", 2 * HOUR, {"reason": "useful"}),
        ("resolved", 2 * DAY, RECOVERED),
        stock_class="A",
    )
    await past(
        alerting,
        2,
        "L",
        ("opened", timedelta(), {}),
        ("acknowledged", 300 * MINUTE, {}),
        ("resolved", 2 * DAY, RECOVERED),
    )
    await ran_out(alerting, "L", 12 * HOUR, 36 * HOUR, daily_sales=3.0, price=10, stock_class="A")
    silence = json.dumps({"by": "silence"})
    await past(
        alerting,
        3,
        "M",
        ("opened", timedelta(), {"hush": silence}),
        ("reminded", 30 * HOUR, {}),
        owner="wu",
    )
    await ran_out(alerting, "M", DAY, None, daily_sales=2.0)
    await past(
        alerting, 4, "K", ("opened", HOUR, {"hush": json.dumps({"by": "known"})}), owner=None
    )
    await past(
        alerting,
        5,
        "O",
        ("opened", HOUR, {"level": "watch"}),
        ("feedback", 2 * HOUR, {}),
        rule="much",
        kind="overstock",
        owner="wu",
        stock_class="C",
    )
    # What it is now is not what it was when it opened.
    await alerting.ask("PUT", "/v1/parameters?sku=O", {"stock_class": "A"})


async def asked(alerting: Alerting, **more: str) -> dict[str, Any]:
    answer = await alerting.client.get("/v1/review", params=WITHIN | more)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_the_figures_of_a_week_are_those_counted_by_hand(alerting: Alerting) -> None:
    await a_week(alerting)
    total = (await asked(alerting))["total"]
    assert total["alerts"] == 5
    # 30 and 300 minutes; two days each.
    assert total["to_acknowledge"] == {"count": 2, "mean": 165.0, "median": 165.0}
    assert total["to_resolve"] == {"count": 2, "mean": 2880.0, "median": 2880.0}
    # Urgent within 240 minutes, watch within a day: P was; L, M and O were not; K was told nobody.
    assert total["within_sla"] == {"part": 1, "whole": 4}
    assert total["escalations"] == 1
    assert total["right"] == {"part": 1, "whole": 2}
    assert (total["prevented"], total["met_late"], total["missed"]) == (1, 1, 1)
    # P would have lasted 2.5 days, L half a day.
    assert total["warning_days"] == {"count": 2, "mean": 1.5, "median": 1.5}
    # L: a day of 3 at 10. M: 2 a day for the 8 days until the end, at no known price.
    assert (total["lost_units"], total["lost_money"]) == (19.0, "30.00")


async def test_what_is_on_time_goes_by_the_playbook_and_what_never_was_is_counted_apart(
    alerting: Alerting,
) -> None:
    """B and C are answered after an hour: B's playbook gave half an hour, C's two days."""
    for number, (sku, first_by) in enumerate((("B", 30 * MINUTE), ("C", 2 * DAY)), 1):
        steps: list[Step] = [("opened", timedelta(), {"level": "out"})]
        steps += [("acknowledged", HOUR + MINUTE, {})]
        id_ = await past(alerting, number, sku, *steps)
        await alerting.rows(
            "INSERT INTO timer (alert_id, generation, number, taken, since, escalated, told, "
            "first_by) VALUES ($1, 1, 2, 0, $2, false, '{}', $3)",
            id_,
            NOON,
            NOON + first_by,
        )
    await past(
        alerting,
        3,
        "D",
        ("opened", timedelta(), {}),
        ("retracted", HOUR, {"reason": "never_was", "facts": {"available": 80}}),
    )
    total = (await asked(alerting))["total"]
    assert total["within_sla"] == {"part": 2, "whole": 3}
    assert (total["retracted"], total["to_resolve"]["count"], total["prevented"]) == (1, 0, 0)
    counted = await alerting.ask("GET", "/v1/alerts/totals")
    assert (counted["episodes"], counted["resolved"], counted["retracted"]) == (3, 0, 1)


async def test_an_end_by_hand_is_an_end_but_prevents_nothing(alerting: Alerting) -> None:
    """H was ended after a day, and held on; T was, too, and ran out two days later."""
    by_hand: Step = ("resolved", DAY, {"actor": "lin", "facts": {"available": 80}})
    for number, sku in enumerate("HT", 1):
        id_ = await past(alerting, number, sku, ("opened", timedelta(), {}), by_hand)
        await alerting.rows(
            "INSERT INTO ended_by_hand VALUES ($1, 'low', 'level', $2, 'W', $3)",
            id_,
            sku,
            NOON + 4 * DAY if sku == "T" else None,
        )
    await ran_out(alerting, "T", 3 * DAY, 4 * DAY)
    # After this one it was well again, so nobody was warned of what came later.
    id_ = await past(alerting, 3, "W", ("opened", timedelta(), {}), by_hand)
    await alerting.rows(
        "INSERT INTO ended_by_hand VALUES ($1, 'low', 'level', 'W', 'W', $2)", id_, NOON + 2 * DAY
    )
    await ran_out(alerting, "W", 3 * DAY, 4 * DAY)
    total = (await asked(alerting))["total"]
    assert total["to_resolve"] == {"count": 3, "mean": 1440.0, "median": 1440.0}
    assert (total["prevented"], total["met_late"], total["missed"]) == (0, 1, 1)


async def test_what_waits_for_others_counts_from_when_it_is_told_and_only_if_it_is(
    alerting: Alerting,
) -> None:
    """All were gathered until three days later; G alone was told then.

    R rose before, which was told at once, a day after it ran out; E was over before, though its
    playbook had a clock.
    """
    waits = ("opened", timedelta(), {"level": "watch", "tell_at": 3 * DAY})
    answered: Step = ("acknowledged", 3 * DAY + 30 * MINUTE, {})
    await past(alerting, 1, "G", waits, answered, ("resolved", 4 * DAY, RECOVERED))
    rose = ("level_changed", 2 * DAY, {"level": "out", "previous_level": "watch"})
    await past(alerting, 2, "R", waits, rose, ("acknowledged", 2 * DAY + 10 * MINUTE, {}))
    await ran_out(alerting, "R", DAY, None)
    over = await past(alerting, 3, "E", waits, ("resolved", 2 * DAY, RECOVERED))
    await alerting.rows(
        "INSERT INTO timer (alert_id, generation, number, taken, since, escalated, told, "
        "first_by) VALUES ($1, 1, 1, 0, $2, false, '{}', $3)",
        over,
        NOON,
        NOON + 3 * DAY,
    )
    total = (await asked(alerting))["total"]
    assert total["to_acknowledge"] == {"count": 2, "mean": 20.0, "median": 20.0}
    assert (total["prevented"], total["met_late"], total["missed"]) == (1, 0, 1)
    assert total["within_sla"] == {"part": 2, "whole": 2}


async def test_who_is_given_an_alert_sees_to_it(alerting: Alerting) -> None:
    """Within the half hour that the playbook gave; it takes three hours more. Nobody told of S."""
    silence = json.dumps({"by": "silence"})
    for number, (sku, hush) in enumerate((("B", None), ("S", silence)), 1):
        steps: list[Step] = [("opened", timedelta(), {"hush": hush})]
        steps += [("assigned", 5 * MINUTE, {}), ("acted", 3 * HOUR, {})]
        id_ = await past(alerting, number, sku, *steps, rule=sku)
        await alerting.rows(
            "INSERT INTO timer (alert_id, generation, number, taken, since, escalated, told, "
            "first_by) VALUES ($1, 1, 2, 0, $2, false, '{}', $3)",
            id_,
            NOON,
            NOON + (30 * MINUTE if sku == "B" else 30 * 365 * DAY),
        )
    groups = {each["group"]: each for each in (await asked(alerting, by="rule"))["groups"]}
    shares = [groups[sku]["figures"]["within_sla"] for sku in "BS"]
    assert shares == [{"part": 1, "whole": 1}, {"part": 0, "whole": 0}]


@pytest.mark.parametrize(
    ("by", "alerts", "courses"),
    [
        ("owner", {"lin": 2, "wu": 2, None: 1}, {"lin": (1, 1, 0), "wu": (0, 0, 1)}),
        ("rule", {"low": 4, "much": 1}, {"low": (1, 1, 1), "much": (0, 0, 0)}),
        ("class", {"A": 1, "C": 1, None: 3}, {"A": (1, 1, 0), "C": (0, 0, 0), None: (0, 0, 1)}),
        ("warehouse", {"W": 5}, {"W": (1, 1, 1)}),
    ],
)
async def test_figures_are_told_apart_by_what_is_asked(
    alerting: Alerting,
    by: str,
    alerts: dict[str | None, int],
    courses: dict[str | None, tuple[int, int, int]],
) -> None:
    await a_week(alerting)
    groups = {each["group"]: each["figures"] for each in (await asked(alerting, by=by))["groups"]}
    assert {group: each["alerts"] for group, each in groups.items()} == alerts
    for group, course in courses.items():
        found = groups[group]
        assert (found["prevented"], found["met_late"], found["missed"]) == course


async def test_a_period_is_bounded_and_what_lies_outside_is_not_in_it(alerting: Alerting) -> None:
    await a_week(alerting)
    before = {"from": (BEGINNING - DAY).isoformat(), "to": BEGINNING.isoformat()}
    assert (await asked(alerting, **before))["total"]["alerts"] == 0
    for wrong in (
        {"from": END.isoformat()},
        {"from": (END - 401 * DAY).isoformat()},
    ):
        answer = await alerting.client.get("/v1/review", params=WITHIN | wrong)
        assert answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
        assert answer.json()["type"].endswith("period_out_of_range")


async def test_the_workbook_says_the_same(alerting: Alerting) -> None:
    await a_week(alerting)
    await alerting.ask("PUT", "/v1/people/lin", {"name": "林晓"})
    answer = await alerting.client.get(
        "/v1/review/report.xlsx", params=WITHIN | {"by": "owner", "language": "en"}
    )
    assert answer.headers["content-disposition"] == (
        'attachment; filename="review-20260228-20260310.xlsx"'
    )
    sheet = load_workbook(io.BytesIO(answer.content)).worksheets[0]
    rows = list(sheet.iter_rows(min_row=3, values_only=True))
    assert [(row[0], row[1]) for row in rows[1:]] == [
        ("All", 5),
        ("林晓", 2),
        ("wu", 2),
        ("(none)", 1),
    ]
