"""Cases on the Review page: what the cause was, what follows, and whether it is done."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from services.console.domain.board import Section
from services.console.pages.frame import Frame
from services.console.pages.live_panel import LivePanel
from services.console.pages.pager import Pager
from services.console.upstream.answered import answered
from services.console.upstream.answers import Page
from services.console.upstream.directory import Names
from services.console.upstream.reviews import Case
from services.console.upstream.service import Refused
from shared.errors import Unavailable

CAUSES = (
    *("data_late", "count_wrong", "limit_too_low", "supplier_late", "nobody_acted"),
    *("demand_unforeseen", "no_rule", "other"),
)
_FIELDS = {
    "missed": ("sku", "warehouse", "ran_out_at", "note"),
    "confirm": ("cause", "measure", "due"),
    "close": ("outcome",),
}
_OPTIONAL = frozenset({"ran_out_at"})


@dataclass(eq=False, slots=True)
class Form:
    """What is said in a step of a case: to confirm or to close it; or missed, of none yet.

    `key` makes what is sent twice one case.
    """

    case_id: str
    step: str
    fields: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)
    key: UUID = field(default_factory=uuid4)


class Cases:
    """One viewer's look at cases; one of them may be in the form."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._upstream = frame.context.reviews.acting_for(frame.acting_for)
        self._cases: Section[Page[Case]] = Section()
        self._pager = Pager()
        self._names = Names()
        self._people: dict[str, str] = {}
        self._form: Form | None = None
        self._failure = ""
        self._told = ""
        self._saving = False
        """While something is on its way, what is open stays, and nothing else opens."""
        self._panel = LivePanel(self._html(), tag="section", classes="panel")
        self._panel.on_act(self._act)
        self._panel.on_field(self._type)

    async def ask(self, names: Names, people: dict[str, str]) -> None:
        """Ask for the cases of the part that is looked at."""
        self._names, self._people = names, people
        cursor = self._pager.cursor
        cases = await answered(self._cases, self._upstream.cases(cursor))
        if cursor == self._pager.cursor:
            self._cases = cases
            if not cases.away:
                self._pager.came()
        self._panel.show(self._html())

    def _type(self, name: str, value: str) -> None:
        form = self._form
        if form is not None and name in form.fields:
            form.fields[name] = value
            if form.errors.pop(name, None):
                self._panel.show(self._html())

    async def _act(self, act: str) -> None:
        if self._saving:
            return
        self._failure, self._told = "", ""
        form = self._form
        step, _, case_id = act.partition(":")
        if act == "close-form" or (
            form is not None and (case_id, step) == (form.case_id, form.step)
        ):
            self._form = None
        elif self._pager.turn(act, self._cases.value.next_cursor if self._cases.value else None):
            self._form = None
            await self.ask(self._names, self._people)
        elif step in _FIELDS and self._frame.acting_for is not None:
            self._open(case_id, step)
        elif act == "send" and form is not None and self._frame.may_act():
            await self._send(form)
        self._panel.show(self._html())
        if self._form is not None and self._form.errors:
            self._panel.point("[aria-invalid=true]")

    def _open(self, case_id: str, step: str) -> None:
        filled = self._filled(case_id, step)
        if filled is not None:
            self._form = Form(case_id, step, dict.fromkeys(_FIELDS[step], "") | filled)
            self._panel.show(self._html())
            self._panel.point(f"#case-{_FIELDS[step][0]}")

    def _filled(self, case_id: str, step: str) -> dict[str, str] | None:
        """Return what a form has from the beginning; None where there is no such case."""
        if step == "missed":
            return {"warehouse": next(iter(self._names.warehouses), "")}
        there = self._cases.value.items if self._cases.value else ()
        case = next((one for one in there if str(one.id) == case_id), None)
        if case is None or step == "close":
            return None if case is None else {}
        maybe = case.cause or (case.signs[0].cause if case.signs else "other")
        due = case.measure_due.isoformat() if case.measure_due else ""
        return {"cause": maybe, "measure": case.measure or "", "due": due}

    async def _send(self, form: Form) -> None:
        said = {name: value.strip() for name, value in form.fields.items()}
        missing = [name for name, value in said.items() if not value and name not in _OPTIONAL]
        form.errors = {name: self._frame.words("form.required") for name in missing}
        if missing:
            return
        body: dict[str, object] = {name: value for name, value in said.items() if value}
        self._saving = True
        self._panel.show(self._html())
        try:
            if form.step == "missed":
                await self._record(form, said, body)
                return
            await self._upstream.step(form.case_id, form.step, body)
        except Refused as error:
            form.errors = self._frame.wrong_in(error, form.fields)
            self._failure = "" if form.errors else self._frame.said_of(error, "alerting")
        except Unavailable as error:
            self._failure = self._frame.said_of(error, "alerting")
        else:
            self._form = None
            await self.ask(self._names, self._people)
        finally:
            self._saving = False

    async def _record(self, form: Form, said: dict[str, str], body: dict[str, object]) -> None:
        """Open a case of what nobody was warned of, and ask for its cause."""
        words, frame = self._frame.words, self._frame
        ran_out_at = said["ran_out_at"]
        if ran_out_at and datetime.fromisoformat(ran_out_at) > frame.context.clock.now():
            form.errors = {"ran_out_at": words("case.missed.ahead")}
        elif not await self._is_known(said["sku"]):
            form.errors = {"sku": words("case.missed.unknown")}
        else:
            case = await self._upstream.missed(body, form.key)
            self._form = None
            self._pager = Pager()
            await self.ask(self._names, self._people)
            if case.state != "open":
                self._told = words("case.missed.there", n=case.number)
            else:
                self._told = words("case.missed.done", n=case.number)
                self._open(str(case.id), "confirm")

    async def _is_known(self, sku: str) -> bool:
        """Return whether there is such a SKU; while ingest is away nobody is held up."""
        try:
            return await self._frame.context.ingest.sku(sku) is not None
        except (Refused, Unavailable):
            return True

    def _html(self) -> str:
        form = self._form or Form("", "", {})
        return self._frame.html(
            "cases.html",
            section=self._cases,
            number_of_page=self._pager.number,
            names=self._names,
            people=self._people,
            opened=(form.case_id, form.step),
            fields=form.fields,
            errors=form.errors,
            failure=self._failure,
            told=self._told,
            saving=self._saving,
            causes=CAUSES,
            may_act=self._frame.acting_for is not None,
        )
