"""Two people change one thing at once: neither takes back what the other has changed."""

import pytest

from services.console.domain.merge import merged, same

FILLED = {"name": "Chen", "language": "zh-CN", "away": "", "places": "a\nb"}
LISTS = ("places",)


def test_what_others_have_changed_stays_and_what_was_said_is_laid_over_it() -> None:
    said, there = FILLED | {"language": "en"}, FILLED | {"away": "friday"}
    assert merged(FILLED, said, there, LISTS) == (said | {"away": "friday"}, frozenset())


@pytest.mark.parametrize(
    ("said", "there", "contested"),
    [("Chén", "Chan", True), ("Chén", "Chén", False), ("", "Chan", True)],
    ids=["each something else", "both the same", "emptied"],
)
def test_what_both_have_changed_is_contested_unless_it_is_the_same(
    said: str, there: str, contested: bool
) -> None:
    form = merged(FILLED, FILLED | {"name": said}, FILLED | {"name": there}, LISTS)
    assert form.values["name"] == said
    assert form.contested == ({"name"} if contested else set())


@pytest.mark.parametrize(
    ("said", "there", "both"),
    [
        ("a\nb\nc", "a\nb\nd", "a\nb\nd\nc"),
        ("a", "a\nb\nc", "a\nc"),
        ("a\nb\nc", "b", "b\nc"),
        ("b\na", "a\nb", "a\nb"),
        ("a\nb\nc", "a\nb\nc", "a\nb\nc"),
        ("a", "b", ""),
    ],
    ids=["both add", "one takes away", "each another way", "the order", "both the same", "no more"],
)
def test_of_a_list_what_was_added_and_what_was_taken_away_is_laid_over(
    said: str, there: str, both: str
) -> None:
    form = merged(FILLED, FILLED | {"places": said}, FILLED | {"places": there}, LISTS)
    assert form == (FILLED | {"places": both}, frozenset())


def test_of_a_list_the_order_says_nothing() -> None:
    assert same(FILLED | {"places": "b\na"}, FILLED, LISTS)
    assert not same(FILLED | {"places": "b"}, FILLED, LISTS)
    assert not same(FILLED | {"name": "Chan"}, FILLED, LISTS)
