import json
from dataclasses import replace

import pytest

from deploy.local.replays.kills import Killed
from deploy.local.replays.report import Kills, Report

GOOD = Report(
    events=100,
    accepted=90,
    ignored=9,
    ignored_expected=9,
    quarantined=0,
    rejected=1,
    rejected_expected=1,
    movements=85,
    movements_expected=85,
    duplicates=5,
    duplicates_expected=5,
    seconds=2.0,
    events_per_second=50.0,
    alerts={"watch": 3, "urgent": 2, "out": 1},
    episodes=6,
    resolved=4,
    reopened=1,
    subjects_alerted=5,
    subjects_expected=5,
    subjects_differing=0,
    notices_sent=2,
    notices_merged=4,
    episodes_unreached=0,
    messages_refused=0,
    levels_checked=10,
    levels_mismatched=0,
)
KILLED = [
    Killed("kafka", 0.2, 10.04, 3.0),
    Killed("postgres", 0.5, 20.0, 1.0),
    Killed("kafka", 0.1, 5.0, 4.0),
    Killed("postgres", 0.9, 40.0, 2.0),
]


def test_a_run_that_kept_every_promise_has_no_failures() -> None:
    assert GOOD.failures() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"accepted": 89},
        {"accepted": 89, "quarantined": 1},
        {"ignored_expected": 10},
        {"rejected_expected": 0},
        {"movements": 84},
        {"messages_refused": 1},
        {"duplicates": 4},
        {"duplicates": 6},
        {"subjects_differing": 1},
        {"episodes_unreached": 1},
        {"levels_mismatched": 1},
        {"levels_checked": 0},
    ],
)
def test_a_broken_promise_fails_the_run(wrong: dict[str, int]) -> None:
    assert len(replace(GOOD, **wrong).failures()) == 1  # type: ignore[arg-type]


def test_after_a_repeated_request_there_may_be_more_duplicates_but_never_fewer() -> None:
    assert replace(GOOD, duplicates=600).failures(requests_repeated=1) == []
    assert len(replace(GOOD, duplicates=4).failures(requests_repeated=1)) == 1


def test_a_process_that_was_killed_only_once_fails_the_run() -> None:
    kills = Kills.of(7, ["kafka", "postgres"], KILLED[:3])
    assert replace(GOOD, kills=kills).failures() == ["postgres was killed 1 times, not 2"]


def test_the_report_is_one_line_with_the_kills_in_order_of_time() -> None:
    text = replace(GOOD, kills=Kills.of(7, ["kafka", "postgres"], KILLED)).json()
    assert "\n" not in text
    report = json.loads(text)
    assert report["seed"] == 7
    assert report["kills"] == {"kafka": [5.0, 10.0], "postgres": [20.0, 40.0]}
    assert report["recoveries"] == {"kafka": [4.0, 3.0], "postgres": [1.0, 2.0]}


def test_without_kills_the_report_says_nothing_of_them() -> None:
    assert not {"seed", "kills", "recoveries"} & json.loads(GOOD.json()).keys()
