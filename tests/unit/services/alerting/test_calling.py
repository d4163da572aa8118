import httpx
import pytest

from services.alerting.calling import judge


@pytest.mark.parametrize(
    ("status", "refused"),
    [(202, None), (401, False), (403, False), (422, True), (400, True), (413, True), (429, False)]
    + [(status, False) for status in (302, 500, 503)],
)
def test_what_no_repetition_mends_is_refused_for_good(status: int, refused: bool | None) -> None:
    outcome = judge(httpx.Response(status, json={"detail": "No."}))
    assert outcome.refused is bool(refused)
    assert (outcome.trouble is None) is (refused is None)


def test_the_reason_is_what_ingest_says_is_wrong() -> None:
    problem = {"detail": "No event is valid.", "errors": [{"message": "there is no channel x"}]}
    assert judge(httpx.Response(422, json=problem)).trouble == (
        "ingest answers 422: No event is valid. there is no channel x"
    )
    assert judge(httpx.Response(502, text="<html>")).trouble == "ingest answers 502: Bad Gateway"
