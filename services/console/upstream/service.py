"""One other service of Lowtide, asked over HTTP with this process's token."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from shared.errors import Unavailable
from shared.observability.logs import get_logger

T = TypeVar("T")

# A panel that waits longer than this shows that its service is away instead.
TIMEOUT_SECONDS = 3.0

_log = get_logger("upstream")

Parameters = Mapping[str, str | int]


class Refused(Exception):  # noqa: N818 - what the service did
    """The service understood and said no; `detail` tells a person why."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Service:
    """Asks one service. Every call raises Unavailable when it is away or answers nonsense."""

    def __init__(self, name: str, http: httpx.AsyncClient) -> None:
        self._name = name
        self._http = http

    async def get(self, answer: TypeAdapter[T], path: str, parameters: Parameters) -> T | None:
        """Return what lies at a path, or None where there is nothing (404)."""
        return await self._ask(answer, "GET", path, parameters=parameters)

    async def post(self, answer: TypeAdapter[T], path: str, body: object) -> T | None:
        """Return the answer to a JSON body, or None where there is nothing (404).

        Raises Refused when the service says no (4xx).
        """
        return await self._ask(answer, "POST", path, body=body)

    async def _ask(
        self,
        answer: TypeAdapter[T],
        method: str,
        path: str,
        *,
        parameters: Parameters | None = None,
        body: object = None,
    ) -> T | None:
        try:
            response = await self._http.request(
                method, path, params=dict(parameters or {}), json=body
            )
        except httpx.HTTPError as error:
            raise Unavailable(self._name) from error
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        if response.is_client_error and response.status_code != HTTPStatus.UNAUTHORIZED:
            raise Refused(response.status_code, _detail(response))
        if not response.is_success:
            _log.warning("refused", service=self._name, path=path, status=response.status_code)
            raise Unavailable(self._name)
        try:
            return answer.validate_json(response.content)
        except ValidationError as error:
            _log.warning("answered nonsense", service=self._name, path=path, error=str(error))
            raise Unavailable(self._name) from error


def connect(url: str, token: str | None) -> httpx.AsyncClient:
    """Return the connections to a service; close them at the end."""
    return httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=TIMEOUT_SECONDS,
        # 50 pages that all refresh at once still leave the service room for others.
        limits=httpx.Limits(max_connections=16, max_keepalive_connections=8),
    )


def _detail(response: httpx.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return response.reason_phrase
