"""Rules (规则): all of them at a glance, on and off, and as a file."""

from dataclasses import replace

from fastapi import Request
from nicegui import ui

from services.console.domain.board import Section
from services.console.domain.rule_kinds import BY_KIND, LEVELS
from services.console.domain.rule_mistakes import translated
from services.console.domain.texts import Words
from services.console.pages.context import Context
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.wanted import Wanted
from services.console.upstream.answered import answered
from services.console.upstream.directory import Names
from services.console.upstream.rules import COUNTED, Rule
from services.console.upstream.service import Refused
from shared.errors import Unavailable

_ASK_SECONDS = 5.0
_TRY_AGAIN_SECONDS = 3.0
_ERRORS_SHOWN = 20


def register(context: Context) -> None:
    """Serve the page at `/rules`."""

    @ui.page("/rules", reconnect_timeout=RECONNECT_SECONDS)
    def rules(request: Request) -> None:
        page = RulesPage(Frame(context, request, "rules"))
        page.frame.keep(page.follow(), "rules")


class RulesPage:
    """One viewer's look at all rules."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self._upstream = frame.context.rules
        self._rules: Section[list[Rule]] = Section()
        self._open: dict[str, int | None] = {}
        self._names = Names()
        self._wanted = Wanted()
        self._busy = ""
        self._failure = ""
        self._told = ""
        self._wrong: list[str] = []
        words = frame.words
        frame.headline(words("rules.title"), words("rules.lead"))
        with frame.main:
            self._panel = LivePanel(self._html(), tag="section", classes="panel")
        self._panel.on_act(self._act)
        self._panel.on_field(self._import)

    async def follow(self) -> None:
        """Ask while the page is open; alerts come and go."""
        while True:
            self._wanted.clear()
            self._rules = await answered(self._rules, self._upstream.all())
            self._show()
            self._names = await self.frame.context.directory.names()
            if not self._rules.away and self._rules.value:
                ids = [one.id for one in self._rules.value]
                self._open = await self._upstream.open_alerts(ids)
                self._show()
            await self._wanted.within(_TRY_AGAIN_SECONDS if self._rules.away else _ASK_SECONDS)

    async def _act(self, act: str) -> None:
        name, _, rest = act.partition(":")
        if self._busy or not self.frame.may_act():
            return
        self._busy, self._failure, self._told, self._wrong = act, "", "", []
        self._show()
        try:
            if name == "switch":
                how, _, rule_id = rest.partition(":")
                await self._switch(rule_id, enabled=how == "on")
            elif name == "download":
                ui.download.content(await self._upstream.file(), "rules.yaml")
        except (Refused, Unavailable) as error:
            self._failure = self._said(error)
        self._busy = ""
        self._show()
        self._wanted.set()

    async def _switch(self, rule_id: str, *, enabled: bool) -> None:
        rule = await self._upstream.one(rule_id)
        if rule is None:
            return
        if rule.enabled != enabled:
            rule = await self._upstream.put(rule_id, rule.definition | {"enabled": enabled})
        there = self._rules.value or []
        self._rules = replace(
            self._rules, value=[rule if each.id == rule_id else each for each in there]
        )

    async def _import(self, name: str, text: str) -> None:
        if name != "file" or self._busy or not self.frame.may_act():
            return
        words = self.frame.words
        self._busy, self._failure, self._told, self._wrong = "import", "", "", []
        self._show()
        if not text:
            self._failure = words("form.file.none")
        else:
            try:
                done = await self._upstream.import_file(text)
            except (Refused, Unavailable) as error:
                self._failure = self._said(error)
                errors = error.errors if isinstance(error, Refused) else ()
                language = self.frame.language
                self._wrong = [
                    f"{one.field}: {translated(one.message, language)}"
                    for one in errors[:_ERRORS_SHOWN]
                ]
            else:
                created, changed, unchanged = map(len, (done.created, done.changed, done.unchanged))
                self._told = words(
                    "rules.imported", created=created, changed=changed, unchanged=unchanged
                )
        self._busy = ""
        self._show()
        self._wanted.set()

    def _said(self, error: Refused | Unavailable) -> str:
        return self.frame.words("rules.failed", reason=self.frame.said_of(error, "alerting"))

    def _show(self) -> None:
        self._panel.show(self._html())

    def _html(self) -> str:
        words = self.frame.words
        return self.frame.html(
            "rules.html",
            section=self._rules,
            open=self._open,
            counted=COUNTED,
            limits={one.id: limits(one, words) for one in self._rules.value or ()},
            scopes={one.id: scope(one, words, self._names) for one in self._rules.value or ()},
            busy=self._busy,
            failure=self._failure,
            told=self._told,
            wrong=self._wrong,
        )


def limits(rule: Rule, words: Words) -> list[tuple[str, str]]:
    """Return a rule's levels, the worst first, each with its limit in a few signs."""
    definition = rule.definition
    by_level = {limit["level"]: limit.get("enter") for limit in definition.get("levels", [])}
    kind = BY_KIND.get(rule.kind)
    said = []
    for level in reversed(LEVELS):
        if level in by_level:
            enter = by_level[level]
            measured = kind is not None and kind.unit and enter is not None
            said.append((level, _limit(rule.kind, enter, words) if measured else ""))
    return said


def _limit(kind: str, enter: float, words: Words) -> str:
    traits = BY_KIND[kind]
    sign = {True: ">", False: "<"}[traits.above]
    if traits.unit == "reasons":
        sign = "≥"
    unit = words.get(f"kind.times.{kind}", words(f"kind.{traits.unit}"))
    return f"{sign} {enter:,.15g} {unit}"


def scope(rule: Rule, words: Words, names: Names) -> list[str]:
    """Return what a rule is for; nothing where it is for everything."""
    chosen = rule.definition.get("scope", {})
    pool = rule.definition.get("pool")
    said = [words("rules.pool", name=pool)] if pool else []
    said += [names.warehouse(one) for one in chosen.get("warehouses", [])]
    said += chosen.get("categories", [])
    said += [f"#{tag}" for tag in chosen.get("tags", [])]
    said += [words("rules.scope.class", name=each) for each in chosen.get("classes", [])]
    said += [words("rules.scope.supplier", name=each) for each in chosen.get("suppliers", [])]
    if chosen.get("skus"):
        said.append(words.counted("rules.scope.skus", len(chosen["skus"])))
    return said
