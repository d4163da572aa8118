"""A part of a page that the server keeps current."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from nicegui import ui
from nicegui.events import GenericEventArguments


class LivePanel(ui.element, component="live_panel.js"):
    """Shows HTML, which must come from `render`: nothing is escaped here any more.

    Clicks on elements with `data-act` arrive at `on_act`, inputs with a name at `on_field`; what
    the tab has kept under the name `recalls` arrives at `on_recall`.
    """

    def __init__(
        self, html: str, *, tag: str = "div", classes: str = "", recalls: str = ""
    ) -> None:
        super().__init__()
        self._props["tag"] = tag
        self._props["html"] = html
        self._props["revision"] = 0
        self._props["heard"] = 0
        self._props["recalls"] = recalls
        self._props["kept"] = {}
        self._patched = False
        self._on_act: Callable[[str], object] = _nothing
        self._on_field: Callable[[str, str], object] = _nothing
        self.classes(classes)
        self.on("act", self._hear_act)
        self.on("field", self._hear_field)

    def show(self, html: str) -> None:
        """Replace the content; the browser changes only what differs."""
        if self._patched or self._props["html"] != html:
            self._patched = False
            self._props["html"] = html
            self._props["revision"] += 1
            self.update()

    def patch(self, parts: Mapping[str, str]) -> None:
        """Replace single elements, by their id, with these."""
        self._patched = True
        # Nobody waits for the browser.
        _ = self.run_method("patch", dict(parts), self._props["heard"])

    def point(self, selector: str) -> None:
        """Move the focus to the first element that fits."""
        _ = self.run_method("point", selector)  # nobody waits for the browser

    def keep(self, name: str, text: str) -> None:
        """Have the browser's tab keep a text under a name, as long as it is open; "" forgets it.

        A browser that forbids it keeps nothing.
        """
        self._props["kept"] = {**self._props["kept"], name: text}
        self.update()

    def on_recall(self, handler: Callable[[str], object]) -> None:
        """Call the handler with what was kept, "" for nothing, as soon as the page is there."""
        self.on("recall", lambda event: handler(cast("str", event.args)))

    def on_act(self, handler: Callable[[str], object]) -> None:
        """Call the handler with the `data-act` of what was pressed, once all inputs before it came.

        The second click of a double one counts only where it meets the same act.
        """
        self._on_act = handler

    def on_field(self, handler: Callable[[str, str], object]) -> None:
        """Call the handler with name and value whenever an input changes.

        A checkbox is "yes" or ""; a day is the instant at which it begins for the viewer (with
        `data-from`) or is over (with `data-until`), else the day itself; a time (with `data-at`) is
        the instant that it is for the viewer; a file is its text (UTF-8,
        or else GB 18030), "" where it is too large (800 kB).
        """
        self._on_field = handler

    def _hear_act(self, event: GenericEventArguments) -> object:
        act = str(event.args["act"])
        if self._misses_some(event.args):
            self._ask_again(act)
            return None
        self._props["heard"] = event.args["before"]
        return self._on_act(act)

    def _hear_field(self, event: GenericEventArguments) -> object:
        if self._misses_some(event.args):
            self._ask_again("")  # for this one as well
            return None
        # It goes back with what is shown from now on: the browser knows of which inputs that
        # cannot tell yet, and leaves them as they are.
        self._props["heard"] = event.args["before"] + 1
        return self._on_field(str(event.args["name"]), str(event.args["value"]))

    def _misses_some(self, said: Mapping[str, Any]) -> bool:
        """Return whether inputs before this were lost, as on a line that breaks."""
        return bool(said["before"] > self._props["heard"] and not said["isAgain"])

    def _ask_again(self, act: str) -> None:
        _ = self.run_method("sayAgain", self._props["heard"], act)  # it comes as events


def _nothing(*_: str) -> None:
    """Nobody wants to know."""
