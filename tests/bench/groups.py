"""Stand-ins for vendors: a hundred strict WeCom groups, and when each message came; a receiver.

A process of its own. `GET /notices` answers everything that the groups accepted, and the refusals.
"""

import asyncio
from base64 import b64encode

from shared.roles import run_role
from shared.settings import Settings
from shared.testing import webhook
from shared.testing import wecom as vendor
from shared.testing.unruly_http import Misconduct, Reply, Request, serving
from shared.testing.webhook import FakeReceiver
from shared.testing.wecom import FakeWecom
from tests.bench.plan import GROUPS, group_key

HOOK_SECRET = "whsec_" + b64encode(b"worth nothing outside of benchmarks").decode()


class Vendors:
    """Everybody's server."""

    def __init__(self) -> None:
        self._wecom = FakeWecom({group_key(number) for number in range(GROUPS)})
        self._receiver = FakeReceiver(HOOK_SECRET)

    def answer(self, request: Request) -> Reply | Misconduct:
        """Answer one request."""
        if request.path == vendor.PATH:
            return self._wecom.answer(request)
        if request.path == webhook.PATH:
            return self._receiver.answer(request)
        if request.path == "/notices":
            accepted = self._wecom.accepted
            return Reply.of(
                {
                    "accepted": [[each.at.timestamp(), each.content] for each in accepted],
                    "refused": self._wecom.rejected.total(),
                }
            )
        return Reply.of({"status": "ok"})


async def _run(settings: Settings, stop: asyncio.Event) -> None:
    async with serving(Vendors().answer, port=settings.port):
        await stop.wait()


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = Settings()
    run_role("groups", "serve", settings, lambda stop: _run(settings, stop))


if __name__ == "__main__":
    main()
