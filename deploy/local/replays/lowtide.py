"""Lowtide as anybody sees it: its public HTTP interface, asked patiently."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import Any, Self

import httpx

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
PATIENCE_S = 180.0
"""Longer than any restart of broker, database and services together."""

PAGE_ITEMS = 500
_AGAIN = {
    httpx.codes.TOO_MANY_REQUESTS,
    httpx.codes.BAD_GATEWAY,
    httpx.codes.SERVICE_UNAVAILABLE,
    httpx.codes.GATEWAY_TIMEOUT,
}

Json = dict[str, Any]
"""What a service answers; read by key, so that a missing one is an error."""


class RefusedError(RuntimeError):
    """A service answered something that no repetition will change."""


class Lowtide:
    """The services of one stack by name, called with one token.

    A call is repeated, unchanged, while its service is away or says 503, and raises TimeoutError
    after PATIENCE_S. Any other answer than 2xx, or one of the statuses
    that the caller expects, raises RefusedError.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        token: str,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._urls = urls
        self._client = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            timeout=httpx.Timeout(30.0, connect=2.0),
            transport=transport,
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._client.__aexit__(kind, error, trace)

    async def get(self, service: str, path: str, **parameters: str) -> Json:
        """Return the answer to a GET."""
        return _json(await self._call("GET", service, path, parameters=parameters))

    async def put(self, service: str, path: str, body: object) -> Json:
        """Return the answer to a PUT of a JSON body."""
        return _json(await self._call("PUT", service, path, json=body))

    async def post(self, service: str, path: str, body: object) -> Json:
        """Return the answer to a POST of a JSON body."""
        return _json(await self._call("POST", service, path, json=body))

    async def post_events(self, body: bytes, repeating: Callable[[], None]) -> httpx.Response:
        """Return the answer to ready-made events: 202, or 422 when none of them was valid.

        `repeating` is called before each repetition.
        """
        expected = frozenset({httpx.codes.UNPROCESSABLE_ENTITY})
        return await self._call(
            "POST", "ingest", "/v1/events", content=body, expected=expected, repeating=repeating
        )

    async def items(self, service: str, path: str, **parameters: str) -> AsyncIterator[Json]:
        """Yield the items of a list, page by page."""
        cursor: str | None = None
        while True:
            page = {} if cursor is None else {"cursor": cursor}
            answer = await self.get(service, path, limit=str(PAGE_ITEMS), **parameters, **page)
            for item in answer["items"]:
                yield item
            cursor = answer["next_cursor"]
            if cursor is None:
                return

    async def metric(self, process: str, name: str) -> float | None:
        """Return the sum of a gauge over all its labels, from a process's `/metrics`.

        None when it has not been set since the process began.
        """
        text = (await self._call("GET", process, "/metrics")).text
        samples = re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)
        return sum(map(float, samples)) if samples else None

    async def _call(
        self,
        method: str,
        service: str,
        path: str,
        *,
        parameters: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | None = None,
        expected: frozenset[int] = frozenset(),
        repeating: Callable[[], None] | None = None,
    ) -> httpx.Response:
        url = self._urls[service] + path
        deadline, pause_s = time.monotonic() + PATIENCE_S, FIRST_PAUSE_S
        while True:
            try:
                response = await self._client.request(
                    method, url, params=parameters, json=json, content=content
                )
            except httpx.TransportError as error:
                reason = repr(error)
            else:
                if response.is_success or response.status_code in expected:
                    return response
                reason = f"{response.status_code} {response.text[:500]}"
                if response.status_code not in _AGAIN:
                    raise RefusedError(f"{method} {service} {path}: {reason}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{method} {service} {path}: after {PATIENCE_S} s {reason}")
            if repeating is not None:
                repeating()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _json(response: httpx.Response) -> Json:
    answer = response.json() if response.content else {}
    if not isinstance(answer, dict):
        raise RefusedError(f"{response.request.url.path}: answered no JSON object")
    return answer
