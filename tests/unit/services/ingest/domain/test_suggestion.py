import pytest

from services.ingest.domain.suggestion import Suggestion, Suggestions

KNOWN = Suggestions(["85123A", "85123B", "WHITE-MUG 3", "22423", "仓库一"])


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("85123a", Suggestion("85123A", "case_or_space")),
        (" 85123 A", Suggestion("85123A", "case_or_space")),
        ("white mug_3", Suggestion("WHITE-MUG 3", "case_or_space")),
        ("22432", Suggestion("22423", "similar")),
        ("仓 库一", Suggestion("仓库一", "case_or_space")),
        ("POSTAGE", None),
        ("2", None),
        (" ", None),
    ],
)
def test_a_guess_is_close_or_none(code: str, expected: Suggestion | None) -> None:
    assert KNOWN.of(code) == expected


def test_nothing_is_guessed_from_nothing() -> None:
    assert Suggestions([]).of("A") is None
