"""What a viewer does with purchases and orders; one form at a time is open."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from uuid import UUID, uuid4

from nicegui import ui

from services.console.pages.frame import Frame
from services.console.upstream.order_answers import OrderWithLines
from services.console.upstream.service import Refused, key_of
from shared.errors import Unavailable

_STEPS: Mapping[str, str] = {"approve": "approve", "reject": "reject", "out": "cancel"}
"""Acts that are steps of a purchase, by their names here."""
_FORMS: Mapping[str, tuple[str, ...]] = {
    "place": ("note",),
    "out": ("note",),
    "reject": ("reason",),
}
"""What is asked before it is done; a reason has to be given."""


@dataclass(frozen=True, slots=True)
class Form:
    """The form that is open: for what, and the lines that the viewer saw when it was opened.

    `key` makes what is sent twice one order.
    """

    act: str
    verb: str
    target: str
    lines: tuple[str, ...] = ()
    key: UUID = field(default_factory=uuid4)

    @property
    def send(self) -> str:
        """The act of its button: a press that was meant for another form does nothing."""
        return f"send:{self.act}"


class OrderDoing:
    """One viewer's hand in purchases and orders; `order_of` finds an order that is shown."""

    def __init__(
        self,
        frame: Frame,
        show: Callable[[], None],
        ask_again: Callable[[], Awaitable[None]],
        order_of: Callable[[str], OrderWithLines | None],
    ) -> None:
        self._frame = frame
        self._show = show
        self._ask_again = ask_again
        self._order_of = order_of
        self._orders = frame.context.orders.acting_for(frame.acting_for)
        self._actions = frame.context.actions.acting_for(frame.acting_for)
        self.form: Form | None = None
        self.fields: dict[str, str] = {}
        self.errors: dict[str, str] = {}
        self.acting = ""
        self.failure = ""
        self.done = ""
        self._mail_key = uuid4()
        self.link: tuple[str, str | None] | None = None
        """The order whose link was asked for, and the link where there can be one."""

    @property
    def may_act(self) -> bool:
        """Whether it is known who acts: nobody orders or approves without a name."""
        return self._frame.acting_for is not None

    def is_own(self, person: str) -> bool:
        """Return whether somebody is the viewer."""
        return person == self._frame.acting_for

    def mail_act(self, order_id: str) -> str:
        """Return the act that mails an order: once, however often it is pressed."""
        return f"mail:{order_id}:{self._mail_key.hex}"

    def type(self, name: str, value: str) -> None:
        """Take what is typed into the form."""
        if name in self.fields:
            self.fields[name] = value
            if self.errors.pop(name, None):
                self._show()

    async def act(self, act: str) -> str:
        """Open or close the form, or do what was asked; returns what the focus belongs to."""
        verb, _, target = act.partition(":")
        if not self._is_meant(act):
            return ""
        self.failure = self.done = ""
        if verb == "close" or (self.form is not None and self.form.act == act):
            self._close()
        elif verb == "sheet":
            await self._download(target)
        elif self.acting or not self.may_act or not self._frame.may_act():
            return ""
        elif verb == "link":
            await self._try(act, self._get_link(target))
        elif verb == "mail":
            await self._mail(act, target.partition(":")[0])
        elif verb in _FORMS:
            order = self._order_of(target)
            lines = tuple(str(line.id) for line in order.items) if order else ()
            self._open(Form(act, verb, target, lines))
            return f"#order-{_FORMS[verb][0]}"
        elif verb == "approve":
            await self._try(act, self._actions.step(target, "approve", {}))
            await self._ask_again()
        elif verb == "send":
            await self._send()
        return "[aria-invalid=true]" if self.errors else ""

    def _is_meant(self, act: str) -> bool:
        """Return whether a press is about what is shown; of two, the first says what became."""
        if act.startswith("send:"):
            return self.form is not None and self.form.send == act and not self.acting
        return not act.startswith("mail:") or act.endswith(f":{self._mail_key.hex}")

    def _open(self, form: Form) -> None:
        self.form, self.errors = form, {}
        self.fields = dict.fromkeys(_FORMS[form.verb], "")

    def _close(self) -> None:
        self.form, self.fields, self.errors = None, {}, {}

    async def _send(self) -> None:
        form = self.form
        if form is None:
            return
        said = {name: value.strip() for name, value in self.fields.items()}
        if said.get("reason") == "":
            self.errors = {"reason": self._frame.words("form.required")}
            return
        note = next(iter(said.values()), "")
        body: dict[str, object] = {"note": note} if note else {}
        if form.verb == "place":
            body |= {"lines": list(form.lines)}
            sent = self._orders.place(form.target, body, key_of(form.key, body))
        else:
            sent = self._actions.step(form.target, _STEPS[form.verb], body)
        order = self._order_of(form.target)
        if await self._try(form.act, sent):
            self._close()
            if form.verb == "place" and order is not None:
                self.done = self._placed(order)
        await self._ask_again()

    def _placed(self, order: OrderWithLines) -> str:
        words, reference = self._frame.words, order.reference
        if not order.by_mail:
            return words("orders.placed_now", reference=reference)
        return words("orders.placed_and_mailed", reference=reference, address=order.supplier_email)

    async def _mail(self, act: str, order_id: str) -> None:
        # What got no answer is asked for once more, and sent once.
        if await self._try(act, self._orders.mail(order_id, self._mail_key.hex)):
            self._mail_key = uuid4()
        await self._ask_again()

    async def _try(self, act: str, sent: Awaitable[None]) -> bool:
        """Wait for something to be done; returns whether it was.

        A form stays open while it can be mended or sent again; what was refused as a whole is over.
        """
        self.acting = act
        self._show()
        try:
            await sent
        except Refused as error:
            of_form = self.form is not None and self.form.act == act
            wrong = self._frame.wrong_in(error, self.fields) if of_form else {}
            if of_form and not wrong:
                self._close()
            self.errors |= wrong
            self.failure = "" if wrong else self._frame.said_of(error, "alerting")
        except Unavailable as error:
            self.failure = self._frame.said_of(error, "alerting")
        self.acting = ""
        return not (self.failure or self.errors)

    async def _get_link(self, order_id: str) -> None:
        self.link = (order_id, await self._orders.link(order_id))

    async def _download(self, order_id: str) -> None:
        order = self._order_of(order_id)
        try:
            book = await self._orders.sheet(order_id)
        except (Refused, Unavailable) as error:
            self.failure = self._frame.said_of(error, "alerting")
        else:
            ui.download.content(book, f"{order.reference if order else order_id}.xlsx")
