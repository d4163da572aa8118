import pytest

from services.console.domain.language import Language, preferred

CHINESE, ENGLISH = Language.CHINESE, Language.ENGLISH


@pytest.mark.parametrize(
    ("chosen", "header", "expected"),
    [
        (None, None, CHINESE),
        (None, "en-GB,en;q=0.9", ENGLISH),
        (None, "zh-TW,zh;q=0.9,en;q=0.8", CHINESE),
        (None, "fr, en;q=0.5, zh;q=0.7", CHINESE),
        (None, "de,en;q=0.3", ENGLISH),
        (None, "de", CHINESE),
        (None, "en;q=0, zh", CHINESE),
        (None, "en;q=nonsense", CHINESE),
        ("en", "zh-CN", ENGLISH),
        ("zh-CN", "en", CHINESE),
        ("klingon", "en", ENGLISH),
    ],
)
def test_the_choice_wins_then_the_browsers_order_then_chinese(
    chosen: str | None, header: str | None, expected: Language
) -> None:
    assert preferred(chosen, header) is expected


def test_the_switch_leads_to_the_other_language() -> None:
    assert CHINESE.other is ENGLISH
    assert ENGLISH.other is CHINESE
