"""`python -m deploy.local.standin`: a stand-in WeCom and a mailbox, and what they received.

On LOWTIDE_PORT: `POST /cgi-bin/webhook/send?key=` as WeCom's group bots answer it (any key of the
right form is a group), `GET /inbox?after=&limit=`, `GET /inbox/summary`, `POST /faults`, and the
probes. On LOWTIDE_SMTP_PORT: SMTP for any recipient. Both on 127.0.0.1 only.
"""

import asyncio
import re
from collections.abc import Container

from typing_extensions import override

from deploy.local.standin import faults, inbox
from deploy.local.standin.inbox import Inbox
from shared.observability.logs import get_logger
from shared.roles import run_role
from shared.settings import Settings, from_environment
from shared.testing import wecom as vendor
from shared.testing.mailbox import Mailbox
from shared.testing.unruly_http import Misconduct, Reply, Request, serving
from shared.testing.wecom import FakeWecom

_log = get_logger("standin")


class StandInSettings(Settings):
    """Where the stand-ins listen."""

    port: int = 8190
    smtp_port: int = 8191


class AnyKey(Container[str]):
    """Every text that could be a bot's key."""

    @override
    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and re.fullmatch(r"[0-9A-Za-z_-]{8,64}", key) is not None


class StandIn:
    """Both stand-ins behind one HTTP server."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.wecom = FakeWecom(AnyKey(), told=self.inbox.add_wecom)
        self.mailbox = Mailbox(told=self.inbox.add_mail)

    def answer(self, request: Request) -> Reply | Misconduct:
        """Answer one request."""
        if request.path == vendor.PATH:
            return self.wecom.answer(request)
        if request.method == "GET" and request.path.startswith(inbox.PATH):
            return self.inbox.answer(request, self.wecom, self.mailbox.answers_lost)
        if request.method == "POST" and request.path == faults.PATH:
            return faults.obey(self.wecom, request.body)
        if request.path in {"/healthz", "/readyz"}:
            return Reply.of({"status": "ok"})
        return Reply.of({"detail": "There is nothing here."}, 404)


async def _run(settings: StandInSettings, stop: asyncio.Event) -> None:
    standin = StandIn()
    async with (
        standin.mailbox.serving(settings.smtp_port) as smtp_port,
        serving(standin.answer, port=settings.port) as port,
    ):
        _log.info("standing in", wecom=port, mailbox=smtp_port)
        await stop.wait()


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = from_environment(StandInSettings)
    run_role("standin", "serve", settings, lambda stop: _run(settings, stop))


if __name__ == "__main__":
    main()
