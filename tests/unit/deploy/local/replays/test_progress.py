import asyncio
import io

import pytest
from rich.console import Console
from typing_extensions import override

from deploy.local.replays import progress
from deploy.local.replays.poster import Tally
from deploy.local.replays.progress import Screen


def test_a_line_carries_the_seconds_and_nothing_is_read_as_markup() -> None:
    out = io.StringIO()
    Screen(Console(file=out)).line("levels [red]differ[/red]")
    assert out.getvalue() == "   0.0 s  levels [red]differ[/red]\n"


async def test_a_terminal_shows_a_bar() -> None:
    out = io.StringIO()
    screen = Screen(Console(file=out, force_terminal=True, width=120))
    tally = Tally(total=1_000)
    async with screen.posting(tally):
        tally.posted = 250
        await asyncio.sleep(0)
    assert "25%" in out.getvalue()
    assert "250/1000" in out.getvalue()


class Paper(io.StringIO):
    """Tells when something was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = asyncio.Event()

    @override
    def write(self, text: str, /) -> int:
        self.written.set()
        return super().write(text)


async def test_elsewhere_there_is_a_line_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "LINE_S", 0.0)
    paper = Paper()
    async with asyncio.timeout(5), Screen(Console(file=paper)).posting(Tally(1_000, posted=250)):
        await paper.written.wait()
    assert "posted 250 of 1,000 (25%)" in paper.getvalue()
