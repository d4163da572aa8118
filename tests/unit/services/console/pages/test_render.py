from datetime import UTC, datetime

import pytest
from jinja2 import UndefinedError

from services.console.domain.language import Language
from services.console.pages import render
from services.console.pages.message import html
from services.console.upstream.answers import StatementLine
from services.console.upstream.directory import Names
from services.console.upstream.grid import Row, Rows


def test_values_are_escaped() -> None:
    page = render.html(Language.ENGLISH, "title.html", title="<img onerror=x>", lead="&")
    assert "<img" not in page
    assert "&lt;img onerror=x&gt;" in page


def test_a_value_that_was_not_given_is_a_mistake() -> None:
    with pytest.raises(UndefinedError):
        render.html(Language.ENGLISH, "title.html", title="no lead")


def test_codes_may_contain_anything_in_an_address() -> None:
    assert render.level_path("A/B C?", "仓") == "/stock/A%2FB%20C%3F/%E4%BB%93"


def test_times_are_left_to_the_browser() -> None:
    line = {"occurred_at": datetime(2026, 3, 2, 9, 30, tzinfo=UTC)}
    environment = render._environment(Language.CHINESE)
    shown = environment.from_string("{{ at(line.occurred_at) }}").render(line=line)
    assert shown == '<lt-time at="2026-03-02T09:30:00+00:00" form="at"></lt-time>'


@pytest.mark.parametrize(
    ("warehouse", "language", "said"),
    [
        ("", Language.CHINESE, "尚无记录"),
        ("", Language.ENGLISH, "Nothing recorded yet"),
        ("sh", Language.CHINESE, "这个仓库尚无记录"),
        ("sh", Language.ENGLISH, "Nothing recorded in this warehouse yet"),
    ],
)
def test_what_was_never_recorded_says_so_and_leads_nowhere(
    warehouse: str, language: Language, said: str
) -> None:
    row = Row("row-0", "CUP", "Cup", warehouse, warehouse, None)
    shown = render.html(language, "stock_one_row.html", row=row)
    assert f">{said}<" in shown
    assert "<strong>Cup</strong><small>CUP</small>" in shown
    assert "href" not in shown


@pytest.mark.parametrize(("number", "said"), [(1, "Nothing found"), (2, "Nothing more")])
def test_after_a_page_with_rows_there_is_nothing_more_rather_than_nothing(
    number: int, said: str
) -> None:
    shown = render.html(
        Language.ENGLISH,
        "stock_grid.html",
        page=Rows((), None),
        away="",
        failure="",
        searching=True,
        number_of_page=number,
    )
    assert said in shown
    assert ("Nothing found" in shown) == (number == 1)


def test_a_group_message_looks_as_in_the_group() -> None:
    text = '### 缺货\n> SKU：**A**\n<font color="warning">断货</font> [查看](http://c/alerts/1)'
    shown = html("markdown", text)
    assert "<h3>缺货</h3>" in shown
    assert "<blockquote>SKU：<strong>A</strong></blockquote>" in shown
    assert '<span class="warning">断货</span>' in shown
    assert '<a href="http://c/alerts/1">查看</a>' in shown


@pytest.mark.parametrize("kind", ["markdown", "text", "email"])
@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '[x](javascript:alert(1))<font color="warning"><img src=x></font>',
        '[x](http://a"onmouseover="alert(1))',
        'http://a"onmouseover="alert(1)',
    ],
)
def test_a_message_cannot_smuggle_anything_in(kind: str, text: str) -> None:
    shown = html(kind, text)
    assert "<script" not in shown
    assert "<img" not in shown
    assert 'href="javascript' not in shown
    assert '"onmouseover="' not in shown


def test_links_in_plain_text_can_be_followed() -> None:
    shown = html("email", "See http://127.0.0.1:8100/alerts/1 now")
    assert (
        '<a href="http://127.0.0.1:8100/alerts/1">http://127.0.0.1:8100/alerts/1</a> now' in shown
    )


def test_what_was_archived_is_one_line_with_a_name_and_no_code() -> None:
    when = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
    line = StatementLine(
        type="opening_balance",
        channel="ledger",
        id="opening",
        quantity=7,
        change=7,
        balance=7,
        occurred_at=when,
        received_at=when,
    )
    shown = render.html(
        Language.ENGLISH,
        "level_statement.html",
        lines=[line],
        more=False,
        most=0,
        names=Names(),
        types={"opening_balance"},
        away=False,
    )
    assert "Opening balance" in shown
    assert "Earlier movements are archived" in shown
    assert "<small>ledger</small>" not in shown
    assert ">opening<" not in shown
