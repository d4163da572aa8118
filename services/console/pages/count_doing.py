"""What a viewer decides on counts: one by one at once, a whole stocktake once it is confirmed."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from services.console.pages.frame import Frame
from services.console.upstream.service import Refused
from services.console.upstream.stocktakes import Count, Stocktake
from shared.errors import Unavailable

STEPS = ("approve", "request-recount", "reject")


@dataclass(frozen=True, slots=True)
class Form:
    """The confirmation that is open: of a step, for a stocktake as it was when it was shown.

    `before` is what was shown until the ledger said that more waits; `decided` is how many counts
    had been decided on by then.
    """

    act: str
    step: str
    stocktake: Stocktake
    before: Stocktake | None = None
    decided: int = 0

    @property
    def send(self) -> str:
        """The act of its button: a press that was meant for another form does nothing."""
        return f"send:{self.act}:{self.stocktake.up_to}:{self.stocktake.counts}"


class CountDoing:
    """One viewer's hand in counts; what is shown is found by its key, or a count's number."""

    def __init__(
        self,
        frame: Frame,
        show: Callable[[], None],
        ask_again: Callable[[], Awaitable[None]],
        stocktake_of: Callable[[str], Stocktake | None],
        count_of: Callable[[str], Count | None],
    ) -> None:
        self._frame = frame
        self._show = show
        self._ask_again = ask_again
        self._stocktake_of = stocktake_of
        self._count_of = count_of
        self._stocktakes = frame.context.stocktakes.acting_for(frame.acting_for)
        self.form: Form | None = None
        self.acting = ""
        self.failure = ""
        self.done = ""

    @property
    def may_act(self) -> bool:
        """Whether it is known who acts: nobody approves without a name."""
        return self._frame.acting_for is not None

    async def act(self, act: str) -> str:
        """Open or close a confirmation, or decide; returns what the focus belongs to."""
        verb, _, target = act.partition(":")
        if self.acting:
            return ""
        self.failure = self.done = ""
        if verb == "close" or (self.form is not None and self.form.act == act):
            self.form = None
        elif not self.may_act or not self._frame.may_act():
            return ""
        elif verb == "one":
            step, _, number = target.partition(":")
            count = self._count_of(number)
            if step in STEPS and count is not None:
                await self._try(act, self._decide_one(count, step))
                await self._ask_again()
        elif verb in STEPS:
            stocktake = self._stocktake_of(target)
            if stocktake is not None:
                self.form = Form(act, verb, stocktake)
                return "[data-act^=send]"
        elif self.form is not None and self.form.send == act:
            return await self._send(self.form)
        return ""

    async def _send(self, form: Form) -> str:
        await self._try(form.act, self._decide(form))
        if self.form is not None and self.form is not form:
            return "[data-key=changed]"
        await self._ask_again()
        return ""

    async def _decide(self, form: Form) -> None:
        try:
            decided = await self._stocktakes.decide(form.stocktake, form.step)
        except Refused as error:
            if error.code != "stocktake_changed":
                raise
            await self._ask_again()
            now = self._stocktake_of(form.act.partition(":")[2])
            if now is None or now == form.stocktake:
                raise
            decided = form.decided + error.decided
            self.form = replace(form, stocktake=now, before=form.stocktake, decided=decided)
            return
        words = self._frame.words
        self.form = None
        self.done = words(
            f"counts.done.{form.step}",
            reference=form.stocktake.reference,
            counts=words.counted("counts.lines", form.decided + decided),
        )

    async def _decide_one(self, count: Count, step: str) -> None:
        await self._stocktakes.decide_one(count.id, step)
        product = count.sku_name or count.sku
        self.done = self._frame.words(f"counts.done.one.{step}", product=product)

    async def _try(self, act: str, sent: Awaitable[None]) -> None:
        """Wait for something to be done; a confirmation stays open for another try."""
        self.acting = act
        self._show()
        try:
            await sent
        except (Refused, Unavailable) as error:
            self.failure = self._frame.said_of(error, "ledger")
        self.acting = ""
