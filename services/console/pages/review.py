"""Review (复盘): how warnings were dealt with in a period, and cases of what was missed."""

from datetime import timedelta
from typing import get_args

from fastapi import Request
from nicegui import ui

from services.console.domain.board import Section
from services.console.pages.cases import Cases
from services.console.pages.context import Context
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.wanted import Wanted
from services.console.upstream.answered import answered
from services.console.upstream.directory import Names
from services.console.upstream.reviews import Dimension, Review
from services.console.upstream.service import Refused
from shared.errors import Unavailable

_AGAIN_SECONDS = 15.0
_TRY_AGAIN_SECONDS = 3.0
PERIODS = (7, 28, 90, 365)
"""Days back from now."""
USUAL_PERIOD = 28
DIMENSIONS: tuple[Dimension, ...] = get_args(Dimension)


def register(context: Context) -> None:
    """Serve the page at `/review`."""

    @ui.page("/review", reconnect_timeout=RECONNECT_SECONDS)
    def review(request: Request, days: str = "", by: str = "") -> None:
        page = ReviewPage(Frame(context, request, "review"), days, by)
        page.frame.keep(page.follow(), "review")


class ReviewPage:
    """One viewer's look back: over so many days, and part by part; what is neither is the usual."""

    def __init__(self, frame: Frame, days: str, by: str) -> None:
        self.frame = frame
        self._upstream = frame.context.reviews
        self._review: Section[Review] = Section()
        self._days = next((one for one in PERIODS if str(one) == days), USUAL_PERIOD)
        self._by = next((one for one in DIMENSIONS if one == by), DIMENSIONS[0])
        self._names = Names()
        self._people: dict[str, str] = {}
        self._rules: dict[str, str] = {}
        self._failure = ""
        self._wanted = Wanted()
        words = frame.words
        frame.headline(words("review.title"), words("review.lead"))
        with frame.main:
            self._panel = LivePanel(self._html())
            self._cases = Cases(frame)
        self._panel.on_act(self._act)
        self._panel.on_field(self._choose)

    async def follow(self) -> None:
        """Ask now, whenever something else is looked for, and every quarter of a minute."""
        while True:
            self._wanted.clear()
            await self._ask()
            await self._cases.ask(self._names, self._people)
            await self._wanted.within(_TRY_AGAIN_SECONDS if self._review.away else _AGAIN_SECONDS)

    async def _ask(self) -> None:
        now = self.frame.context.clock.now()
        since = now - timedelta(days=self._days)
        days, by = self._days, self._by
        found = await answered(self._review, self._upstream.review(since, now, by))
        await self._ask_names()
        if (days, by) == (self._days, self._by):
            self._review = found
        self._panel.show(self._html())

    async def _ask_names(self) -> None:
        self._names = await self.frame.context.directory.names()
        if not self._people:
            self._people = await self.frame.context.people.names()
        if not self._rules:
            self._rules = await self.frame.rule_names()

    def _choose(self, name: str, value: str) -> None:
        chosen = next((one for one in DIMENSIONS if one == value), None)
        if name == "by" and chosen is not None:
            self._by = chosen
            self._look()

    async def _act(self, act: str) -> None:
        self._failure = ""
        if act == "download":
            await self._download()
        elif act.isdigit() and int(act) in PERIODS:
            self._days = int(act)
            self._look()
        self._panel.show(self._html())

    def _look(self) -> None:
        days = "" if self._days == USUAL_PERIOD else str(self._days)
        by = "" if self._by == DIMENSIONS[0] else self._by
        self.frame.readdress({"days": days, "by": by})
        self._wanted.set()

    async def _download(self) -> None:
        now = self.frame.context.clock.now()
        since = now - timedelta(days=self._days)
        try:
            book = await self._upstream.workbook(since, now, self._by, self.frame.language)
        except (Refused, Unavailable) as error:
            self._failure = self.frame.said_of(error, "alerting")
        else:
            ui.download.content(book, f"review-{since:%Y%m%d}-{now:%Y%m%d}.xlsx")

    def _named(self, group: str | None) -> str:
        if group is None:
            return self.frame.words("review.nobody")
        if self._by == "warehouse":
            return self._names.warehouse(group)
        known = {"owner": self._people, "rule": self._rules}.get(self._by, {})
        return known.get(group, group)

    def _html(self) -> str:
        return self.frame.html(
            "review.html",
            section=self._review,
            days=self._days,
            by=self._by,
            periods=PERIODS,
            dimensions=DIMENSIONS,
            named=self._named,
            failure=self._failure,
        )
