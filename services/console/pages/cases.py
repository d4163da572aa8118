"""Cases on the Review page: what the cause was, what follows, and whether it is done."""

from datetime import datetime
from uuid import uuid4

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


class Cases:
    """One viewer's look at cases; one of them may be in the form."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._upstream = frame.context.reviews.acting_for(frame.acting_for)
        self._cases: Section[Page[Case]] = Section()
        self._pager = Pager()
        self._names = Names()
        self._people: dict[str, str] = {}
        self._open = ("", "")
        """The case in the form, and the step: confirm or close; or missed, of none yet."""
        self._key = uuid4()
        self._fields: dict[str, str] = {}
        self._errors: dict[str, str] = {}
        self._failure = ""
        self._told = ""
        self._saving = False
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
        if name in self._fields:
            self._fields[name] = value
            if self._errors.pop(name, None):
                self._panel.show(self._html())

    async def _act(self, act: str) -> None:
        self._failure, self._told = "", ""
        step, _, case_id = act.partition(":")
        if act == "close-form" or (case_id, step) == self._open:
            self._close_form()
        elif self._pager.turn(act, self._cases.value.next_cursor if self._cases.value else None):
            self._close_form()
            await self.ask(self._names, self._people)
        elif step in _FIELDS and self._frame.acting_for is not None:
            self._fill_in(case_id, step)
            self._panel.show(self._html())
            self._panel.point(f"#case-{_FIELDS[step][0]}")
        elif act == "send" and self._frame.may_act() and not self._saving:
            await self._send()
        self._panel.show(self._html())
        if self._errors:
            self._panel.point("[aria-invalid=true]")

    def _close_form(self) -> None:
        self._open, self._fields, self._errors = ("", ""), {}, {}

    def _fill_in(self, case_id: str, step: str) -> None:
        if step == "missed":
            self._open, self._errors, self._key = ("", step), {}, uuid4()
            self._fields = dict.fromkeys(_FIELDS[step], "")
            self._fields["warehouse"] = next(iter(self._names.warehouses), "")
            return
        there = self._cases.value.items if self._cases.value else ()
        case = next((one for one in there if str(one.id) == case_id), None)
        if case is None:
            return
        maybe = case.cause or (case.signs[0].cause if case.signs else "other")
        self._open, self._errors = (case_id, step), {}
        self._fields = dict.fromkeys(_FIELDS[step], "")
        if step == "confirm":
            due = case.measure_due.isoformat() if case.measure_due else ""
            self._fields |= {"cause": maybe, "measure": case.measure or "", "due": due}

    async def _send(self) -> None:
        case_id, step = self._open
        said = {name: value.strip() for name, value in self._fields.items()}
        missing = [name for name, value in said.items() if not value and name not in _OPTIONAL]
        self._errors = {name: self._frame.words("form.required") for name in missing}
        if missing or not step:
            return
        body: dict[str, object] = {name: value for name, value in said.items() if value}
        self._saving = True
        try:
            if step == "missed":
                await self._record(said, body)
                return
            await self._upstream.step(case_id, step, body)
        except Refused as error:
            self._errors = self._frame.wrong_in(error, self._fields)
            self._failure = "" if self._errors else self._frame.said_of(error, "alerting")
        except Unavailable as error:
            self._failure = self._frame.said_of(error, "alerting")
        else:
            self._open, self._fields = ("", ""), {}
            await self.ask(self._names, self._people)
        finally:
            self._saving = False

    async def _record(self, said: dict[str, str], body: dict[str, object]) -> None:
        """Open a case of what nobody was warned of, and ask for its cause."""
        words, frame = self._frame.words, self._frame
        ran_out_at = said["ran_out_at"]
        if ran_out_at and datetime.fromisoformat(ran_out_at) > frame.context.clock.now():
            self._errors = {"ran_out_at": words("case.missed.ahead")}
        elif not await self._is_known(said["sku"]):
            self._errors = {"sku": words("case.missed.unknown")}
        else:
            case = await self._upstream.missed(body, self._key)
            self._close_form()
            self._pager = Pager()
            await self.ask(self._names, self._people)
            if case.state != "open":
                self._told = words("case.missed.there", n=case.number)
            else:
                self._told = words("case.missed.done", n=case.number)
                self._fill_in(str(case.id), "confirm")
                self._panel.show(self._html())
                self._panel.point("#case-cause")

    async def _is_known(self, sku: str) -> bool:
        """Return whether there is such a SKU; while ingest is away nobody is held up."""
        try:
            return await self._frame.context.ingest.sku(sku) is not None
        except (Refused, Unavailable):
            return True

    def _html(self) -> str:
        return self._frame.html(
            "cases.html",
            section=self._cases,
            number_of_page=self._pager.number,
            names=self._names,
            people=self._people,
            opened=self._open,
            fields=self._fields,
            errors=self._errors,
            failure=self._failure,
            told=self._told,
            saving=self._saving,
            causes=CAUSES,
            may_act=self._frame.acting_for is not None,
        )
