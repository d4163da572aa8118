"""Turning the pages of a list whose parts are told one by one."""


class Pager:
    """Where each part so far starts; the last one is wanted, and on screen once it came."""

    def __init__(self) -> None:
        self._cursors = [""]
        self._on_screen: str | None = None

    @property
    def cursor(self) -> str:
        """Where the wanted part starts."""
        return self._cursors[-1]

    @property
    def number(self) -> int:
        """The number of the wanted part, from 1."""
        return len(self._cursors)

    def came(self) -> None:
        """Note that the wanted part is on screen."""
        self._on_screen = self.cursor

    def turn(self, act: str, following: str | None) -> bool:
        """Turn as a button says (`states.html`); return whether it is one of these."""
        if act == "earlier":
            self.forward(following)
        elif act == "later":
            self.back()
        return act in {"earlier", "later"}

    def forward(self, following: str | None) -> None:
        """Turn to the part that follows what is on screen, if there is one.

        While a part is on its way, `following` is that part itself: nothing is turned then.
        """
        if following and self._on_screen == self.cursor:
            self._cursors.append(following)

    def back(self) -> None:
        """Turn to the part before, if there is one."""
        if len(self._cursors) > 1:
            self._cursors.pop()
