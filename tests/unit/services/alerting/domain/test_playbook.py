from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from services.alerting.domain.late_notes import late_note
from services.alerting.domain.people import Responsibilities, Responsibility
from services.alerting.domain.playbook import Measure, PlaybookDefinition, Step, Whom
from services.alerting.domain.staffing import Place, Staffing
from shared.events.stock_alerts import Expected

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OWNER, DEPUTY, MANAGER = ({"role": role} for role in ("owner", "deputy", "manager"))
STEP: dict[str, object] = {"expects": "acknowledge", "within_minutes": 30}


def step(**fields: object) -> Step:
    return Step.model_validate(STEP | fields)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": []},
        {"name": {}},
        {"name": {"fr": "Non"}},
        {"name": {"en": "a\x00b"}},
        {"steps": [STEP | {"within_minutes": 0}]},
        {"steps": [STEP | {"expects": "smile"}]},
        {"steps": [STEP | {"whom": []}]},
        {"steps": [STEP | {"whom": [{}]}]},
        {"steps": [STEP | {"whom": [{"role": "owner", "person": "an"}]}]},
        {"steps": [STEP | {"late": [{"do": "escalate"}]}]},
        {"steps": [STEP | {"late": [{"do": "escalate", "to": [MANAGER], "times": 2}]}]},
        {"steps": [STEP | {"late": [{"do": "remind", "to": [MANAGER]}]}]},
        {"steps": [STEP | {"late": [{"do": "remind", "times": 3}]}]},
        {"steps": [STEP | {"late": [{"do": "remind", "after_minutes": 1, "times": 11}]}]},
    ],
)
def test_a_playbook_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    good = {"name": {"zh-CN": "补货", "en": "Replenish"}, "steps": [STEP]}
    assert PlaybookDefinition.model_validate(good).steps[0].whom == (Whom.model_validate(OWNER),)
    with pytest.raises(ValidationError):
        PlaybookDefinition.model_validate(good | wrong)


def test_reminding_tells_the_same_escalating_others_and_widening_more() -> None:
    late = [
        {"do": "remind", "after_minutes": 5, "times": 2},
        {"do": "widen", "to": [DEPUTY, OWNER]},
        {"do": "escalate", "to": [MANAGER]},
        {"do": "remind"},
    ]
    found = [step(late=late).told(taken) for taken in range(6)]
    owner, deputy, manager = (Whom.model_validate(each) for each in (OWNER, DEPUTY, MANAGER))
    assert found == [
        (owner,),
        (owner,),
        (owner,),
        (owner, deputy),
        (manager,),
        (manager,),
    ]


def test_what_a_playbook_names_is_known_wherever_it_names_it() -> None:
    late = [{"do": "widen", "to": [{"person": "an"}, {"rotation": "nights"}]}]
    steps = [step(calendar="office", late=late), step(whom=[{"person": "bo"}, OWNER])]
    playbook = PlaybookDefinition(name={"en": "x"}, steps=tuple(steps))
    assert playbook.named() == ({"an", "bo"}, {"nights"}, {"office"})


TABLE = (
    Responsibility("cups", None, "an", "bo", "cai"),
    Responsibility(None, None, "dan"),
)


@pytest.mark.parametrize(
    ("role", "owner", "away", "person"),
    [
        ("owner", "zhu", (), "zhu"),
        ("owner", None, (), "an"),
        ("owner", "zhu", ("zhu",), "bo"),
        ("deputy", "zhu", (), "bo"),
        ("deputy", "zhu", ("bo",), "cai"),
        ("manager", "zhu", (), "cai"),
        ("manager", "zhu", ("cai",), "cai"),
    ],
)
def test_a_role_is_whoever_stands_in_for_it(
    role: str, owner: str | None, away: tuple[str, ...], person: str
) -> None:
    table = Responsibilities(TABLE, dict.fromkeys(away, NOW + timedelta(days=1)))
    whom = Whom.model_validate({"role": role})
    assert Staffing(table).people([whom, whom], Place(owner, "cups", "W"), NOW) == [person]


def test_where_nobody_is_named_nobody_is_meant() -> None:
    manager, nights = Whom.model_validate(MANAGER), Whom.model_validate({"rotation": "nights"})
    there = Staffing(Responsibilities(TABLE))
    assert there.people([manager, nights], Place("an", "plates", "W"), NOW) == []


def test_a_note_says_since_when_and_to_whom_in_both_languages() -> None:
    assert late_note(Expected.ACT, NOW, "Asia/Shanghai", ["王经理", "Li"]) == (
        "自 2026-03-01 20:00 (Asia/Shanghai) 起无人处理，已升级给 王经理, Li。"
        "Nobody has acted since 2026-03-01 20:00 (Asia/Shanghai); escalated to 王经理, Li."
    )


def test_a_reminder_repeats_itself_with_its_own_distance() -> None:
    measure = Measure.model_validate({"do": "remind", "after_minutes": 10, "times": 3})
    assert step(late=[measure]).measures == (measure,) * 3
    assert measure.after == timedelta(minutes=10)
