"""One other service of Lowtide, asked over HTTP with this process's token."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote
from uuid import UUID, uuid5

import httpx
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from shared.errors import Unavailable
from shared.observability.logs import get_logger

T = TypeVar("T")

# A panel that waits longer than this shows that its service is away instead.
TIMEOUT_SECONDS = 3.0

_ACTING_FOR = "Lowtide-Acting-For"

_log = get_logger("upstream")

Parameters = Mapping[str, str | int]


class Wrong(BaseModel):
    """What is wrong with one field of a request: `field` by its path, such as items.3.owner."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    field: str
    code: str
    message: str


class Refused(Exception):  # noqa: N818 - what the service did
    """The service understood and said no; `detail` tells a person why.

    `code` names the problem for programs, `errors` says what is wrong field by field, `used_by`
    where something is named that therefore cannot be deleted; `decided` is how many counts were
    decided on before that.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        code: str = "",
        errors: Sequence[Wrong] = (),
        used_by: Sequence[str] = (),
        decided: int = 0,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.code = code
        self.errors = tuple(errors)
        self.used_by = tuple(used_by)
        self.decided = decided


class Service:
    """Asks one service. Every call raises Unavailable when it is away or answers nonsense."""

    def __init__(self, name: str, http: httpx.AsyncClient, acting_for: str | None = None) -> None:
        self._name = name
        self._http = http
        self._headers = {} if acting_for is None else {_ACTING_FOR: quote(acting_for, safe="")}

    def acting_for(self, person: str | None) -> "Service":
        """Return the same service, asked for a person."""
        return Service(self._name, self._http, person)

    async def get(self, answer: TypeAdapter[T], path: str, parameters: Parameters) -> T | None:
        """Return what lies at a path, or None where there is nothing (404)."""
        request = self._http.build_request("GET", path, params=dict(parameters))
        return self._read(answer, await self._send(request))

    async def post(
        self,
        answer: TypeAdapter[T],
        path: str,
        body: object,
        *,
        idempotency_key: str | None = None,
        patience_seconds: float = TIMEOUT_SECONDS,
    ) -> T | None:
        """Return the answer to a JSON body, or None where there is nothing (404).

        Raises Refused when the service says no (4xx), as all that follow do.
        """
        headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
        request = self._http.build_request(
            "POST", path, json=body, headers=headers, timeout=patience_seconds
        )
        return self._read(answer, await self._send(request))

    async def put(self, answer: TypeAdapter[T], path: str, body: object) -> T | None:
        """Return the answer to what was put, or None where there is nothing (404)."""
        return self._read(
            answer, await self._send(self._http.build_request("PUT", path, json=body))
        )

    async def post_file(
        self,
        answer: TypeAdapter[T],
        path: str,
        media_type: str,
        text: str,
        *,
        patience_seconds: float = TIMEOUT_SECONDS,
    ) -> T | None:
        """Return the answer to a file, or None where there is nothing (404)."""
        request = self._http.build_request(
            "POST",
            path,
            content=text.encode(),
            headers={"Content-Type": media_type},
            timeout=patience_seconds,
        )
        return self._read(answer, await self._send(request))

    async def delete(self, path: str) -> None:
        """Delete what lies at a path; nothing there is as good."""
        await self._send(self._http.build_request("DELETE", path))

    async def file(self, path: str, parameters: Parameters | None = None) -> bytes:
        """Return a file. Raises Unavailable where there is none."""
        request = self._http.build_request("GET", path, params=dict(parameters or {}))
        response = await self._send(request)
        if response is None:
            raise Unavailable(self._name)
        return response.content

    async def _send(self, request: httpx.Request) -> httpx.Response | None:
        """Return a successful answer, or None for 404."""
        request.headers.update(self._headers)
        try:
            response = await self._http.send(request)
        except httpx.HTTPError as error:
            raise Unavailable(self._name) from error
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        if response.is_client_error and response.status_code != HTTPStatus.UNAUTHORIZED:
            raise _refusal(response)
        if not response.is_success:
            path, status = request.url.path, response.status_code
            _log.warning("refused", service=self._name, path=path, status=status)
            raise Unavailable(self._name)
        return response

    def _read(self, answer: TypeAdapter[T], response: httpx.Response | None) -> T | None:
        if response is None:
            return None
        try:
            return answer.validate_json(response.content)
        except ValidationError as error:
            path = response.request.url.path
            _log.warning("answered nonsense", service=self._name, path=path, error=str(error))
            raise Unavailable(self._name) from error


def key_of(form: UUID, body: object) -> str:
    """Return the Idempotency-Key of what a form sends: twice the same is one, anything else is new.

    A key that has been used answers another body with 422 for ever.
    """
    return uuid5(form, json.dumps(body, sort_keys=True)).hex


def connect(url: str, token: str | None) -> httpx.AsyncClient:
    """Return the connections to a service; close them at the end."""
    return httpx.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {token}"} if token else {},
        timeout=TIMEOUT_SECONDS,
        # 50 pages that all refresh at once still leave the service room for others.
        limits=httpx.Limits(max_connections=16, max_keepalive_connections=8),
    )


class _Problem(BaseModel):
    """A problem document (RFC 9457) as far as it is needed here."""

    model_config = ConfigDict(extra="ignore")

    type: str = ""
    detail: str
    errors: list[Wrong] = []
    used_by: list[str] = []
    decided: int = 0


def _refusal(response: httpx.Response) -> Refused:
    try:
        said = _Problem.model_validate_json(response.content)
    except ValidationError:
        return Refused(response.status_code, response.reason_phrase)
    code = said.type.rpartition(":")[2]
    return Refused(response.status_code, said.detail, code, said.errors, said.used_by, said.decided)
