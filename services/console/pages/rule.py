"""A rule: a form that is checked as one types, and the versions so far."""

import asyncio
from uuid import uuid4

from fastapi import Request
from nicegui import ui

from services.console.domain.board import Section
from services.console.domain.rule_draft import Draft, draft_of, name_of, person_of
from services.console.domain.rule_form import (
    CLEAR,
    Values,
    blank,
    condition_alone,
    filled,
    of_kind,
    values_of,
)
from services.console.domain.rule_kinds import KINDS
from services.console.domain.rule_mistakes import Mistake, mistake
from services.console.pages.condition import Condition
from services.console.pages.context import Context
from services.console.pages.frame import RECONNECT_SECONDS, Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.rule_view import form_html
from services.console.upstream.answered import answered
from services.console.upstream.directory import Names
from services.console.upstream.rule_changes import versions
from services.console.upstream.rules import Definition, Playbook, Rule, Verdict
from services.console.upstream.service import Refused
from shared.errors import Unavailable

# Typing pauses longer than this are worth a check.
_TYPING_SECONDS = 0.3
_TRY_AGAIN_SECONDS = 3.0
_NAMES_SECONDS = 5.0
SURE = "sure:"
"""Before an act that is pressed once more although it drops what is typed."""
_PICKED = {"warehouse": "scope.warehouses", "channel": "doubt.channels"}
"""Fields that are picked from names, by what is pressed."""


def register(context: Context) -> None:
    """Serve the pages at `/rules/new` and `/rules/{id}`."""

    @ui.page("/rules/{rule_id}", reconnect_timeout=RECONNECT_SECONDS)
    def rule(request: Request, rule_id: str, saved: str = "") -> None:
        frame = Frame(context, request, "rules")
        page = RulePage(frame, "" if rule_id == "new" else rule_id, saved=bool(saved))
        frame.keep(page.follow(), "rule")
        frame.keep(page.ask_names(), "rule: names")


class RulePage:
    """One viewer's work on a rule; `rule_id` is empty for a new one."""

    def __init__(self, frame: Frame, rule_id: str, *, saved: bool) -> None:
        self._frame = frame
        self._upstream = frame.context.rules
        self._id = rule_id
        self._rule: Rule | None = None
        """The version that the form was filled from."""
        self._versions: Section[list[Rule]] = Section()
        self._names = Names()
        self._calendars: list[str] = []
        self._playbooks: list[Playbook] = []
        self._people: dict[str, str] = {}
        """Names by id."""
        self._values = blank()
        self._base: Definition = {}
        self._verdict = Verdict(valid=False)
        self._mistakes: tuple[Mistake, ...] = ()
        self._ready = not rule_id
        self._away = False
        self._asked = False
        self._checked = False
        """Whether the verdict is of what the form says now."""
        self._tried = False
        """Whether somebody wanted to save: from then on, all that is missing is shown."""
        self._touched: set[str] = set()
        self._recalled = asyncio.Event()
        """Whether the tab has said what it has kept."""
        self._draft: Draft | None = None
        """What it has kept, until that is in the form."""
        self._kept = ""
        self._restored = False
        self._sure = ""
        """The act that would drop what is typed, once it is said to be wanted."""
        self._busy = ""
        self._failure = ""
        self._told = saved
        if saved:
            frame.readdress({})  # it is not saved once more by looking at it again
        self._key = uuid4()
        self._typed = asyncio.Event()
        self._typed.set()
        """What the form says wants to be checked, or the rule to be read."""
        self._conditions = (Condition("condition"), Condition("clear_condition", CLEAR))
        with frame.main:
            self._head = LivePanel("", classes="title")
            with ui.element("div").classes("columns editor" if rule_id else "columns editor alone"):
                self._form = LivePanel(self._form_html(), recalls=name_of(rule_id))
                self._side = LivePanel("", tag="section", classes="panel") if rule_id else None
        self._show()
        self._form.on_act(self._act)
        self._form.on_field(self._type)
        self._form.on_recall(self._recall)
        if self._side is not None:
            self._side.on_act(self._act)

    async def follow(self) -> None:
        """Read the rule, then check what is typed while the page is open."""
        await self._recalled.wait()
        while True:
            await self._typed.wait()
            self._typed.clear()
            checked = await (self._check() if self._ready else self._read())
            self._show()
            await asyncio.sleep(_TYPING_SECONDS if checked else _TRY_AGAIN_SECONDS)
            if not checked:
                self._typed.set()

    async def ask_names(self) -> None:
        """Ask what there is to choose from while the page is open; it may come later."""
        while True:
            self._names = await self._frame.context.directory.names()
            self._calendars = self._calendars or await self._upstream.calendars()
            self._playbooks = self._playbooks or await self._upstream.playbooks()
            self._people = self._people or await self._frame.context.people.names()
            self._show()
            await asyncio.sleep(_NAMES_SECONDS)

    async def _read(self) -> bool:
        try:
            rule = await self._upstream.one(self._id)
            former = await self._drafted(rule)
        except (Unavailable, Refused):
            self._away = True
            self._show()
            return False
        self._away, self._asked = False, True
        if rule is not None:
            self._fill(former or rule)
            self._restore()
            self._frame.retitle(self._frame.words.named(rule.name))
            self._versions = await answered(self._versions, self._upstream.versions(self._id))
        self._show()
        return True

    def _recall(self, text: str) -> None:
        draft = draft_of(text)
        if draft is not None and draft.is_of(self._frame.session):
            # Another person's is left alone until this one types.
            self._draft, self._kept = draft, text
        if not self._id:
            self._restore()
        self._recalled.set()

    async def _drafted(self, newest: Rule | None) -> Rule | None:
        """Return the version that the draft is of, where there are newer ones meanwhile."""
        draft = self._draft
        if draft is None or newest is None or draft.version == newest.version:
            return None
        told = await self._upstream.versions(self._id)
        return next((one for one in told if one.version == draft.version), None)

    def _restore(self) -> None:
        draft, self._draft = self._draft, None
        if draft is not None:
            self._type_again(draft.values)
            self._restored = bool(self._touched)

    def _type_again(self, typed: Values) -> None:
        known = self._values
        self._touched |= {name for name, value in typed.items() if known.get(name) != value}
        self._values = known | typed
        self._checked = False

    def _adopt(self, rule: Rule, before: Values) -> None:
        """Fill the form from a version; what was typed since `before` stays."""
        typed = {name: said for name, said in self._values.items() if before.get(name) != said}
        self._fill(rule)
        self._type_again(typed)

    def _discard(self) -> None:
        """Have the form as it was before anything was typed."""
        self._restored, self._checked, self._tried = False, False, False
        self._touched.clear()
        # Where there is a rule, its newest version is read.
        self._values, self._ready = blank(), not self._id
        self._typed.set()

    def _fill(self, rule: Rule) -> None:
        self._rule, self._base = rule, rule.definition
        self._values = _values_of(rule)
        self._ready, self._checked, self._tried, self._restored = True, False, False, False
        self._touched.clear()
        self._typed.set()

    async def _check(self) -> bool:
        form = filled(self._values, self._base)
        try:
            verdict = await self._upstream.validate(form.definition)
            of_conditions = [verdict for _ in self._conditions]
            if not verdict.valid and self._values["kind"] == "custom":
                # Whatever else is missing, both views of the conditions go on.
                for place, one in enumerate(self._conditions):
                    if form.definition[one.field] is not None:
                        alone = condition_alone(form.definition, one.field)
                        of_conditions[place] = await self._upstream.validate(alone)
        except (Unavailable, Refused):
            self._away = True
            return False
        self._away = False
        if form.definition != filled(self._values, self._base).definition:
            return True  # typed on meanwhile; its turn comes next
        self._verdict, self._checked = verdict, True
        for one, understood in zip(self._conditions, of_conditions, strict=True):
            one.take(self._values, understood)
        language, words = self._frame.language, self._frame.words
        found = [Mistake(name, words("form.no_number")) for name in sorted(form.no_numbers)]
        if not found or verdict.errors:
            found += [
                mistake(one.field, one.message, form.definition, language)
                for one in verdict.errors
                if not (form.no_numbers and one.field == "body")
            ]
        self._mistakes = tuple(found)
        return True

    def _type(self, name: str, value: str) -> None:
        if name not in self._values or self._values[name] == value:
            return
        if name == "kind":
            self._values = of_kind(self._values, value if value in KINDS else "below")
        else:
            self._values[name] = value
        for one in self._conditions:
            one.typed(self._values, name)
        self._touched.add(name)
        self._sure = ""
        self._told, self._failure, self._checked = False, "", False
        self._show()
        self._typed.set()

    async def _act(self, pressed: str) -> None:
        act = pressed.removeprefix(SURE)
        name, _, rest = act.partition(":")
        if self._busy or (name in {"save", "switch", "back"} and not self._is_of(rest)):
            return
        is_sure, self._sure = pressed == SURE + self._sure, ""
        if name in {"back", "discard"} and self._is_dirty() and not is_sure:
            self._sure = act
            self._show()
            return
        if name in {"mode", f"{CLEAR}mode"} and not self._checked:
            await self._check()
        turned = {one.field for one in self._conditions if one.act(self._values, name, rest)}
        if turned:
            self._touched |= turned
            self._checked = False
            self._typed.set()
        elif name in _PICKED:
            self._pick(_PICKED[name], rest)
        elif name == "discard":
            self._discard()
        elif name in {"save", "switch", "back"} and self._frame.may_act():
            self._busy, self._failure, self._told = name, "", False
            self._show()
            await self._change(name, rest)
            self._busy = ""
        self._show()

    def _is_of(self, rest: str) -> bool:
        """Return whether an act is about the version that is shown, which it names first."""
        return self._rule is None or rest.partition(":")[0] == str(self._rule.version)

    def _pick(self, field: str, picked: str) -> None:
        chosen = self._values[field].splitlines()
        other = [one for one in chosen if one != picked]
        chosen = [*chosen, picked] if len(other) == len(chosen) else other
        self._values[field] = "\n".join(chosen)
        self._touched.add(field)
        self._checked = False
        self._typed.set()

    async def _change(self, name: str, rest: str) -> None:
        try:
            if name == "save":
                await self._save()
            elif name == "switch":
                await self._switch()
            else:
                await self._back(int(rest.partition(":")[2]))
        except Refused as error:
            self._failure = self._frame.said_of(error, "alerting")
            self._tried = True
            self._typed.set()
        except Unavailable as error:
            self._failure = self._frame.said_of(error, "alerting")

    async def _save(self) -> None:
        self._tried = True
        if not await self._check():
            self._failure = self._frame.said_of(Unavailable("alerting"), "alerting")
            return
        if self._mistakes:
            self._show()
            self._form.point("[aria-invalid=true]")
            return
        before = self._values.copy()
        definition = filled(before, self._base).definition
        if not self._id:
            made = await self._upstream.create(definition, self._key)
            self._touched.clear()  # what is left here is no draft of another rule
            self._form.keep(name_of(""), "")
            if self._values != before:
                self._form.keep(name_of(made.id), self._drafted_text(made.version))
            ui.navigate.to(f"/rules/{made.id}?saved=1")
            return
        newest = await self._upstream.one(self._id)
        if newest is not None and self._rule is not None and newest.version > self._rule.version:
            self._rule = newest
            self._failure = self._conflict(newest)
            return
        self._adopt(await self._upstream.put(self._id, definition), before)
        await self._saved()

    async def _switch(self) -> None:
        rule, shown = await self._upstream.one(self._id), self._rule
        if rule is None or shown is None:
            return
        is_other = rule.version > shown.version
        if is_other and self._touched:
            # To save comes to the same: the form is still that of the version before.
            self._failure = self._conflict(rule)
            return
        before = self._values.copy()
        switched = await self._upstream.put(
            self._id, rule.definition | {"enabled": not shown.enabled}
        )
        if is_other:
            self._adopt(switched, before)
        else:
            self._rule = switched
            self._base = self._base | {"enabled": switched.enabled}
            self._values["enabled"] = "yes" if switched.enabled else ""
        await self._saved()

    async def _back(self, version: int) -> None:
        newest = await self._upstream.one(self._id)
        if newest is not None and self._rule is not None and newest.version > self._rule.version:
            words = self._frame.words
            who = words.person(newest.changed_by)
            self._failure = words("rule.moved_on", who=who, n=newest.version)
            self._adopt(newest, _values_of(self._rule))
        else:
            before = self._values.copy()
            self._adopt(await self._upstream.roll_back(self._id, version), before)
            self._told = not self._touched
        self._versions = await answered(self._versions, self._upstream.versions(self._id))

    def _conflict(self, newer: Rule) -> str:
        words = self._frame.words
        return words("rule.conflict", who=words.person(newer.changed_by), n=newer.version)

    async def _saved(self) -> None:
        self._told = not self._touched
        self._versions = await answered(self._versions, self._upstream.versions(self._id))

    def _keep_draft(self) -> None:
        version = self._rule.version if self._rule else 0
        text = self._drafted_text(version) if self._is_dirty() else ""
        if self._recalled.is_set() and self._draft is None and text != self._kept:
            self._kept = text
            self._form.keep(name_of(self._id), text)

    def _drafted_text(self, version: int) -> str:
        session = self._frame.session
        return Draft(
            version=version, values=self._values, person=person_of(session), session=session.id
        ).model_dump_json()

    def _show(self) -> None:
        words = self._frame.words
        name = self._values["name.en" if words.language == "en" else "name.zh-CN"]
        named = words.named(self._rule.name) if self._rule else ""
        title = name or named or words("rule.new")
        self._head.show(self._frame.html("rule_head.html", title=title, rule=self._rule))
        self._form.show(self._form_html())
        if self._side is not None:
            self._side.show(self._side_html())
        self._keep_draft()

    def _form_html(self) -> str:
        shown = list(self._mistakes)
        if self._rule is None and not self._tried:
            # Nobody is told off for what they have not come to yet.
            shown = [one for one in shown if self._is_touched(one.field)]
        return form_html(
            self._frame,
            self._values,
            shown,
            names=self._names,
            calendars=self._calendars,
            playbooks=self._playbooks,
            people=self._people,
            conditions=self._conditions,
            state={
                "id": self._id,
                "rule": self._rule,
                "ready": self._ready,
                "asked": self._asked,
                "away": self._away,
                "checked": self._checked,
                "valid": self._verdict.valid and not self._mistakes,
                "unchanged": self._is_unchanged(),
                "restored": self._restored and self._is_dirty(),
                "sure": self._sure,
                "busy": self._busy,
                "failure": self._failure,
                "told": self._told,
                "mistakes": len(self._mistakes),
            },
        )

    def _is_touched(self, field: str) -> bool:
        return (
            any(name == field or name.startswith(f"{field}.") for name in self._touched)
            or (
                field in {"levels", "condition", "doubts", "doubt.silent"}
                and any(name.startswith(("level", "row", "cel", "doubt")) for name in self._touched)
            )
            or (
                field == "clear_condition" and any(name.startswith(CLEAR) for name in self._touched)
            )
        )

    def _is_unchanged(self) -> bool:
        return self._checked and self._rule is not None and self._verdict.rule == self._base

    def _is_dirty(self) -> bool:
        return bool(self._touched) and not self._is_unchanged()

    def _side_html(self) -> str:
        return self._frame.html(
            "rule_versions.html",
            section=self._versions,
            versions=versions(self._versions.value or []),
            current=self._rule.version if self._rule else 0,
            busy=self._busy,
            sure=self._sure,
        )


def _values_of(rule: Rule) -> Values:
    return blank() | values_of(rule.definition, rule.cel, rule.clear_cel)
