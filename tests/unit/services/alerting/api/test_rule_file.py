"""Rules as a YAML file."""

from http import HTTPStatus

import pytest

from services.alerting.api.rule_file import read, write
from services.alerting.domain.definition import RuleDefinition
from shared.http.problems import Problem

LOW = RuleDefinition.model_validate(
    {
        "name": {"zh-CN": "库存低", "en": "Low"},
        "kind": "below",
        "levels": [{"level": "watch", "enter": 20, "exit": 30}],
        "scope": {"skus": ["0123", "no"]},
        "filters": {"grace_days": 7},
        "pending_seconds": 60,
    }
)
ONE = "{id: a, name: {en: A}, kind: negative}"
OUT = RuleDefinition.model_validate({"name": {"en": "Out"}, "kind": "stock_out"})


def test_what_is_written_is_read_as_it_was() -> None:
    written = write([("low", LOW), ("out", OUT)])
    assert [(each.id, each.definition()) for each in read(written.encode())] == [
        ("low", LOW),
        ("out", OUT),
    ]


def test_a_file_is_made_for_people() -> None:
    assert write([("out", OUT)]) == (
        "rules:\n- id: out\n  name:\n    en: Out\n  kind: stock_out\n"
        "  levels:\n  - level: out\n    enter: 0.0\n    exit: 0.0\n"
    )
    assert "库存低" in write([("low", LOW)])


@pytest.mark.parametrize(
    ("text", "status", "words"),
    [
        ("rules: [", HTTPStatus.BAD_REQUEST, "line 1, column 9"),
        ("rules: &all [*all]", HTTPStatus.BAD_REQUEST, "references (*name) are not read"),
        ("a: !!python/object/apply:os.system [ls]", HTTPStatus.BAD_REQUEST, "line 1, column 4"),
        ("enabled: !!bool maybe", HTTPStatus.BAD_REQUEST, "maybe"),
        ("since: !!timestamp foo", HTTPStatus.BAD_REQUEST, ""),
        ("version: !!int ''", HTTPStatus.BAD_REQUEST, ""),
        ("[" * 5_000, HTTPStatus.BAD_REQUEST, ""),
        ("rules: {}", HTTPStatus.UNPROCESSABLE_ENTITY, "'rules'"),
        ("", HTTPStatus.UNPROCESSABLE_ENTITY, "body"),
        (
            "rules: [{id: a, name: {en: A}, kind: below, levels: [{level: watch, enter: x}]}]",
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "rules.0.levels.0.enter",
        ),
        (
            "rules: [{id: export, name: {en: A}, kind: stock_out}]",
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "choose another id",
        ),
        (
            f"rules: [{ONE}, {ONE}]",
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "rules.1.id",
        ),
    ],
)
def test_a_file_that_cannot_be_taken_says_where(text: str, status: HTTPStatus, words: str) -> None:
    with pytest.raises(Problem) as refused:
        read(text.encode())
    assert refused.value.status is status
    assert words in f"{refused.value.detail} {refused.value.extra}"
