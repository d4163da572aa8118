"""What the services say beside what pages show."""

import httpx

from shared.http.auth import Scope
from tests.browser.conftest import Desk


async def ask(
    desk: Desk, service: str, method: str, path: str, body: object = None
) -> dict[str, object]:
    """Return what a service answers to a configuring program."""
    token = desk.stack.token(Scope.ALERTS_READ, Scope.CONFIG_WRITE)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=desk.stack.url(service), headers=headers) as client:
        answer = await client.request(method, path, json=body)
        assert answer.is_success, answer.text
        found: dict[str, object] = answer.json()
        return found
