import json
from datetime import timedelta

import pytest

from services.notifier.destinations.exchange import Answer
from services.notifier.destinations.wecom_bot import judge
from services.notifier.domain.outcomes import Verdict


def answer(errcode: object) -> Answer:
    return Answer(200, json.dumps({"errcode": errcode, "errmsg": "ok"}).encode())


@pytest.mark.parametrize(
    ("errcode", "verdict"),
    [
        (0, Verdict.ACCEPTED),
        *[(code, Verdict.TRANSIENT) for code in (-1, 6000, 45033, 45009)],
        *[
            (code, Verdict.PERMANENT)
            for code in (
                40003,
                40008,
                40013,
                40033,
                40056,
                40058,
                45002,
                48002,
                60020,
                81013,
                93000,
                301002,
                12345,
            )
        ],
    ],
)
def test_the_errcode_decides_although_the_status_is_200(errcode: int, verdict: Verdict) -> None:
    assert judge(answer(errcode)).verdict is verdict


def test_too_often_blocks_the_key_for_a_minute() -> None:
    assert judge(answer(45009)).lane_wait == timedelta(seconds=60)


@pytest.mark.parametrize("body", [b"", b"<html>", b"{}", b'{"errcode": "many"}'])
def test_a_200_of_somebody_else_may_have_been_accepted(body: bytes) -> None:
    assert judge(Answer(200, body)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(502, Verdict.TRANSIENT), (429, Verdict.TRANSIENT), (302, Verdict.PERMANENT)],
)
def test_other_statuses_decide_by_themselves(status: int, verdict: Verdict) -> None:
    assert judge(Answer(status, b'{"errcode": 0}')).verdict is verdict
