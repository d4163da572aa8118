import pytest

from services.console.pages.deliveries import headline


@pytest.mark.parametrize(
    ("said", "first"),
    [
        ('<font color="warning">【断货】#7 儿童防晒霜</font>\n> 剩 0 件', "【断货】#7 儿童防晒霜"),
        ('\n### <font color="info">**关注** #6</font> USB-C', "关注 #6 USB-C"),
        ("[Watch] #5 无糖气泡水 330ml×24 <3>\nmore", "[Watch] #5 无糖气泡水 330ml×24 <3>"),
        ("", ""),
    ],
)
def test_a_headline_has_no_marks(said: str, first: str) -> None:
    assert headline(said) == first
