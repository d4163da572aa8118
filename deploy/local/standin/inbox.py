"""What the stand-ins received, of both kinds, in the order of arrival."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass

from shared.testing.mailbox import Mail
from shared.testing.unruly_http import Reply, Request
from shared.testing.wecom import Accepted, FakeWecom

PATH = "/inbox"
KEPT = 10_000
"""Messages kept, the newest: a demonstration may run for days."""

MAX_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Item:
    """A message as it was received; a WeCom `text` is its small markdown."""

    id: int
    kind: str
    received_at: str
    to: str
    type: str
    subject: str
    text: str

    def answer(self) -> dict[str, str]:
        """Return it as JSON; the id is a text like everywhere else."""
        return {name: str(getattr(self, name)) for name in self.__slots__}


class Inbox:
    """Keeps messages and answers `GET /inbox` and `GET /inbox/summary`."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque(maxlen=KEPT)
        self._types: Counter[str] = Counter()
        self._last = 0

    def add_wecom(self, message: Accepted) -> None:
        """Take a group's message."""
        self._add(
            kind="wecom",
            received_at=message.at.isoformat(),
            to=f"…{message.key[-4:]}",
            type=message.type,
            subject="",
            text=message.content,
        )

    def add_mail(self, mail: Mail) -> None:
        """Take an e-mail."""
        self._add(
            kind="mail",
            received_at=mail.at.isoformat(),
            to=", ".join(mail.recipients),
            type="email",
            subject=str(mail.message["Subject"] or ""),
            text=mail.text,
        )

    def _add(self, **fields: str) -> None:
        self._last += 1
        self._types[fields["type"]] += 1
        self._items.append(Item(id=self._last, **fields))

    def answer(self, request: Request, wecom: FakeWecom, mails_lost: int) -> Reply:
        """Answer a GET below `/inbox`."""
        if request.path == PATH:
            return self._list(request.query)
        if request.path == f"{PATH}/summary":
            return Reply.of(
                {
                    "accepted": dict(self._types),
                    "rejected": {str(code): count for code, count in wecom.rejected.items()},
                    "answers_lost": wecom.answers_lost + mails_lost,
                }
            )
        return Reply.of({"detail": "There is /inbox and /inbox/summary."}, 404)

    def _list(self, query: Mapping[str, str]) -> Reply:
        """Answer the newest messages, newest first; only those newer than `after`."""
        after, limit = query.get("after", "0"), query.get("limit", "100")
        if not (after.isdigit() and limit.isdigit() and 1 <= int(limit) <= MAX_LIMIT):
            detail = f"after is an id, limit is 1 to {MAX_LIMIT}."
            return Reply.of({"detail": detail}, 422)
        newest: list[dict[str, str]] = []
        for item in reversed(self._items):
            if item.id <= int(after) or len(newest) == int(limit):
                break
            newest.append(item.answer())
        return Reply.of({"items": newest, "next_cursor": None})
