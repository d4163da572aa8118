import json

import pytest

from deploy.local.standin.__main__ import StandIn
from shared.testing.unruly_http import Misconduct, Reply, Request
from shared.testing.wecom import PATH

KEY = "demonstration-buyers"


@pytest.fixture
def standin() -> StandIn:
    return StandIn()


def send(standin: StandIn, content: str) -> Reply | Misconduct:
    body = {"msgtype": "markdown", "markdown": {"content": content}}
    raw = json.dumps(body, ensure_ascii=False).encode()
    return standin.answer(Request("POST", PATH, {"key": KEY}, raw))


def get(standin: StandIn, path: str, **query: str) -> dict[str, list[dict[str, str]]]:
    answer = standin.answer(Request("GET", path, query, b""))
    assert isinstance(answer, Reply)
    assert answer.status == 200, answer.body
    found: dict[str, list[dict[str, str]]] = json.loads(answer.body)
    return found


def test_the_inbox_lists_the_newest_first(standin: StandIn) -> None:
    for number in range(3):
        send(standin, f"**{number}**")
    items = get(standin, "/inbox", limit="2")["items"]
    assert [(item["kind"], item["text"]) for item in items] == [
        ("wecom", "**2**"),
        ("wecom", "**1**"),
    ]


def test_the_inbox_lists_only_what_is_newer_than_an_id(standin: StandIn) -> None:
    for number in range(3):
        send(standin, str(number))
    second = get(standin, "/inbox")["items"][1]["id"]
    assert [item["text"] for item in get(standin, "/inbox", after=second)["items"]] == ["2"]


def test_the_summary_counts_what_was_accepted_refused_and_left_unanswered(
    standin: StandIn,
) -> None:
    order = Request("POST", "/faults", {}, b'{"fault": "lose_answer"}')
    assert standin.answer(order) == Reply.of({"ordered": "lose_answer", "times": 1})
    assert send(standin, "x") is Misconduct.DROP
    for _ in range(20):
        send(standin, "x")
    assert get(standin, "/inbox/summary") == {
        "accepted": {"markdown": 20},
        "rejected": {"45009": 1},
        "answers_lost": 1,
    }


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/inbox", {"limit": "0"}, 422),
        ("/inbox", {"after": "x"}, 422),
        ("/inbox/more", {}, 404),
        ("/elsewhere", {}, 404),
    ],
)
def test_what_is_not_there_is_said(
    standin: StandIn, path: str, query: dict[str, str], status: int
) -> None:
    answer = standin.answer(Request("GET", path, query, b""))
    assert isinstance(answer, Reply)
    assert answer.status == status


def test_an_unknown_fault_is_refused(standin: StandIn) -> None:
    answer = standin.answer(Request("POST", "/faults", {}, b'{"fault": "sulk"}'))
    assert isinstance(answer, Reply)
    assert answer.status == 422
