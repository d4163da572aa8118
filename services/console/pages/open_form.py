"""The form that is open on a panel."""

from collections import defaultdict
from collections.abc import Callable, Collection
from typing import Any, Generic, Literal, TypeVar

from services.console.domain.merge import Values, merged, same
from services.console.domain.texts import Words
from services.console.pages.named_places import Shown

T = TypeVar("T")

Reason = Literal["taken", "changed", "gone"]


class Overtaken(Exception):  # noqa: N818 - what became of the form
    """Somebody else was first: with another such thing, a change of the same fields, or its end."""

    def __init__(self, reason: Reason, fields: Collection[str] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.fields = fields

    def told(self, words: Words, of: str) -> dict[str, str]:
        """Return what the form says of it; `of` begins the names of its texts."""
        if self.reason == "taken":
            return {"id": words(f"{of}.id.taken")}
        fields = {name: words("form.changed") for name in self.fields}
        return fields | {"form": words(f"{of}.{self.reason}")}


class OpenForm(Generic[T]):
    """What is in a form, for as long as it is open: another opening is another form.

    `before` is what it was filled from and `key` what that is called, None and "" for something
    new; `lists` are the fields with one thing a line.
    """

    def __init__(
        self,
        before: T | None,
        key: str,
        values_of: Callable[[T | None], Values],
        lists: Collection[str] = (),
    ) -> None:
        self.before = before
        self.values = values_of(before)
        self.errors: dict[str, str] = {}
        self.named: list[Shown] = []
        """Where something is named that could therefore not be deleted."""
        self.sure = False
        """Whether it is really to go once the button of `delete` is pressed."""
        self._key = key
        self._values_of = values_of
        self._lists = lists

    @property
    def delete(self) -> str:
        """The act that takes it away; "" where nothing is there.

        Once it says that it is really meant it is another: a press from before does not count.
        """
        if self.before is None:
            return ""
        return f"delete:sure:{self._key}" if self.sure else f"delete:{self._key}"

    def type(self, name: str, value: str) -> bool:
        """Take what is typed; returns whether something wrong was said of it."""
        if name not in self.values:
            return False
        self.values[name] = value
        return self.errors.pop(name, None) is not None

    def refresh(self, there: T) -> None:
        """Fill in what is there by now, unless something else was typed instead of it."""
        filled, now = self._values_of(self.before), self._values_of(there)
        form = merged(filled, self.values, now, self._lists)
        if not form.contested:
            self.before, self.values = there, form.values

    def over(self, there: T | None, said: Values) -> Values | None:
        """Return what is to be saved: what is said, laid over what is there.

        None where all of it is there, as when it was saved before and no answer came back. Raises
        Overtaken; the form has what is there then, and saying the same again is to save it.
        """
        if there is None:
            if self.before is None:
                return said
            self.before = None
            raise Overtaken("gone")
        filled, now = self._values_of(self.before), self._values_of(there)
        if same(said, now, self._lists):
            return None
        if self.before is None:
            raise Overtaken("taken")
        form = merged(filled, said, now, self._lists)
        if form.contested:
            # What has been typed since it was sent stays as well.
            self.before = there
            self.values = merged(filled, self.values, now, self._lists).values
            raise Overtaken("changed", form.contested)
        return None if same(form.values, now, self._lists) else form.values


def parts(form: OpenForm[Any] | None) -> dict[str, object]:
    """Return what templates show of a form; of none, no values."""
    shown = form or OpenForm[Any](None, "", lambda _: {})
    return {
        "values": None if form is None else form.values,
        "editing": shown.before,
        "errors": defaultdict(str, shown.errors),
        "named": shown.named,
        "delete": shown.delete,
        "sure": shown.sure,
    }
