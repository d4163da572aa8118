"""A stand-in WeCom for the latency benchmark: a hundred strict groups, and when each message came.

A process of its own. `GET /notices` answers everything that was accepted, and the refusals.
"""

import asyncio

from shared.roles import run_role
from shared.settings import Settings
from shared.testing import wecom as vendor
from shared.testing.unruly_http import Misconduct, Reply, Request, serving
from shared.testing.wecom import FakeWecom
from tests.bench.plan import GROUPS, group_key


class Groups:
    """The groups' server."""

    def __init__(self) -> None:
        self._wecom = FakeWecom({group_key(number) for number in range(GROUPS)})

    def answer(self, request: Request) -> Reply | Misconduct:
        """Answer one request."""
        if request.path == vendor.PATH:
            return self._wecom.answer(request)
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
    async with serving(Groups().answer, port=settings.port):
        await stop.wait()


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    settings = Settings()
    run_role("groups", "serve", settings, lambda stop: _run(settings, stop))


if __name__ == "__main__":
    main()
