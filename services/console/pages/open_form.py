"""The form that is open on a panel."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from services.console.domain.people_form import Values
from services.console.pages.named_places import Shown

T = TypeVar("T")


@dataclass(eq=False)  # slots and Generic do not go together in Python 3.11
class OpenForm(Generic[T]):
    """What is in a form, for as long as it is open: another opening is another form."""

    before: T | None
    """What it was filled from; None for something new."""
    values: Values
    errors: dict[str, str] = field(default_factory=dict)
    named: list[Shown] = field(default_factory=list)
    """Where something is named that could therefore not be deleted."""
    sure: bool = False
    """Whether it is really to go once "delete" is pressed again."""

    def type(self, name: str, value: str) -> bool:
        """Take what is typed; returns whether something wrong was said of it."""
        if name not in self.values:
            return False
        self.values[name] = value
        return self.errors.pop(name, None) is not None


def parts(form: OpenForm[Any] | None) -> dict[str, object]:
    """Return what templates show of a form; of none, no values."""
    shown = form or OpenForm(None, {})
    return {
        "values": None if form is None else form.values,
        "editing": shown.before,
        "errors": defaultdict(str, shown.errors),
        "named": shown.named,
        "sure": shown.sure,
    }
