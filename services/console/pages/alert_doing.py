"""What is done about an alert: what could be, what is, and the form that one of both has open."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from services.console.domain import action_form
from services.console.domain.board import Section
from services.console.pages.frame import Frame
from services.console.upstream.action_answers import Action, Proposal
from services.console.upstream.answered import answered
from services.console.upstream.service import Refused, key_of
from shared.errors import Unavailable

PREFIX = "do."
"""Acts and fields of this part of the page begin with it."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form that is open; `key` makes what is sent twice one action."""

    act: str
    """The act that has opened it: the form stands where that button is."""
    asked: Sequence[str]
    key: UUID
    kind: str = ""
    action_id: str = ""
    step: str = ""

    @property
    def send(self) -> str:
        """The act of its button: a press that was meant for another form does nothing."""
        return f"{PREFIX}send:{self.act}"


class AlertDoing:
    """One viewer's hand in what is done about an episode."""

    def __init__(self, frame: Frame, alert_id: UUID, show: Callable[[], None]) -> None:
        self._frame = frame
        self._id = alert_id
        self._show = show
        self._upstream = frame.context.actions.acting_for(frame.acting_for)
        self.proposals: Section[list[Proposal]] = Section()
        self.actions: Section[list[Action]] = Section()
        self.form: Form | None = None
        self.fields: dict[str, str] = {}
        self.errors: dict[str, str] = {}
        self.acting = ""
        self.failure = ""

    @property
    def may_act(self) -> bool:
        """Whether it is known who acts: nobody asks or approves without a name."""
        return self._frame.acting_for is not None

    @property
    def waits(self) -> bool:
        """Whether something is asked for and not done."""
        return any(each.state in {"proposed", "approved"} for each in self.actions.value or ())

    def steps(self, action: Action) -> tuple[str, ...]:
        """Return what the viewer can do with an action."""
        own = action.requested_by == self._frame.acting_for
        return action_form.steps(action.kind, action.state, is_own=own)

    async def ask(self, *, is_open: bool) -> bool:
        """Ask what is done, and as long as the alert is open what could be.

        Returns whether there was an answer to everything.
        """
        self.actions = await answered(self.actions, self._upstream.of_alert(self._id))
        if is_open:
            self.proposals = await answered(self.proposals, self._upstream.proposals(self._id))
        else:
            self.proposals = Section([])
        return not (self.actions.away or self.proposals.away)

    def type(self, name: str, value: str) -> None:
        """Take what is typed into the form."""
        field = name.removeprefix(PREFIX)
        if field in self.fields:
            self.fields[field] = value
            if self.errors.pop(field, None):
                self._show()

    async def act(self, act: str) -> None:
        """Open or close the form, or do what was asked."""
        self.failure = ""
        verb, _, rest = act.removeprefix(PREFIX).partition(":")
        if verb == "close" or (self.form is not None and self.form.act == act):
            self._close()
        elif self.acting or not self.may_act or not self._frame.may_act():
            return
        elif verb == "ask":
            self._ask_about(act, rest)
        elif verb == "step":
            action_id, _, step = rest.partition(":")
            await self._step(act, action_id, step)
        elif self.form is not None and self.form.send == act:
            await self._send()

    def _close(self) -> None:
        self.form, self.fields, self.errors = None, {}, {}

    def _ask_about(self, act: str, kind: str) -> None:
        proposal = next((each for each in self.proposals.value or () if each.kind == kind), None)
        if proposal is None:
            return
        given = {"quantity": proposal.quantity or "", "source": proposal.source or ""}
        asked = action_form.fields(kind)
        self._open(Form(act, asked, uuid4(), kind=kind))
        self.fields |= {name: str(given[name]) for name in asked if name in given}

    async def _step(self, act: str, action_id: str, step: str) -> None:
        asked = action_form.STEP_FIELDS.get(step, ())
        self._open(Form(act, asked, uuid4(), action_id=action_id, step=step))
        if not asked:
            await self._send()

    def _open(self, form: Form) -> None:
        self.form, self.errors = form, {}
        self.fields = dict.fromkeys(form.asked, "")

    async def _send(self) -> None:
        form = self.form
        if form is None:
            return
        self.errors = {
            name: self._frame.words(key)
            for name, key in action_form.mistakes(form.asked, self.fields).items()
        }
        if self.errors:
            return
        body = action_form.body(form.asked, self.fields)
        await self._done(form, self._sent(form, body))

    def _sent(self, form: Form, body: dict[str, object]) -> Awaitable[None]:
        if form.kind:
            body = {"kind": form.kind} | body
            return self._upstream.request(self._id, body, key_of(form.key, body))
        return self._upstream.step(form.action_id, form.step, body)

    async def _done(self, form: Form, sent: Awaitable[None]) -> None:
        self.acting = form.act
        self._show()
        try:
            await sent
        except Refused as error:
            self.errors = self._frame.wrong_in(error, form.asked)
            self.failure = "" if self.errors else self._frame.said_of(error, "alerting")
        except Unavailable as error:
            self.failure = self._frame.said_of(error, "alerting")
        else:
            self._close()
        self.acting = ""
        if self.form is not None and not self.form.asked:
            self._close()
