"""Errors as RFC 9457 problem documents, each with a stable `type`."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from shared.errors import Unavailable

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:lowtide:problem:"
_CODES = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too_large"}
"""Where a status has a code of its own; its phrase differs between versions of Python."""


class FieldError(BaseModel):
    """What is wrong with one field of a request."""

    model_config = ConfigDict(extra="allow")

    field: str
    code: str
    message: str


class ProblemDocument(BaseModel):
    """An error (RFC 9457): `type` is stable and for programs, `detail` says what to do.

    Some problems have members of their own; `errors` names each field that is wrong.
    """

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError] = []


_SCHEMAS = "#/components/schemas/"


def _documented(description: str) -> dict[str, Any]:
    reference = {"$ref": _SCHEMAS + ProblemDocument.__name__}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": reference}}}


RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": _documented("The request cannot be answered as it is"),
    "5XX": _documented(
        "It cannot be answered now; try again, with 503 after `Retry-After` seconds"
    ),
}
"""What every operation may answer instead, for the OpenAPI document."""


def schemas() -> dict[str, Any]:
    """Return the JSON Schemas that `RESPONSES` refer to, by name."""
    schema = ProblemDocument.model_json_schema(ref_template=_SCHEMAS + "{model}")
    return {**schema.pop("$defs"), ProblemDocument.__name__: schema}


class Problem(Exception):  # noqa: N818 - RFC 9457's word
    """An answer that is not the one asked for.

    `code` names the problem for programs (it becomes `type`), `detail` tells a person what to
    do; `extra` adds members of the problem's own, such as `errors`.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **extra: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = extra

    def response(self, instance: str) -> JSONResponse:
        """Return the document as an HTTP response."""
        return JSONResponse(
            {
                "type": TYPE_PREFIX + self.code,
                "title": self.status.phrase,
                "status": self.status.value,
                "detail": self.detail,
                "instance": instance,
                **self.extra,
            },
            status_code=self.status,
            headers=self.headers,
            media_type=MEDIA_TYPE,
        )


def not_found(what: str) -> Problem:
    """Return the problem for something that does not exist."""
    return Problem(HTTPStatus.NOT_FOUND, "not_found", f"There is no {what}.")


def unavailable(error: Unavailable) -> Problem:
    """Return the problem for a dependency that is away."""
    return Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        f"{error}.",
        headers={"Retry-After": str(error.retry_after_seconds)},
    )


def words_of(error: Any) -> str:  # noqa: ANN401 - one of pydantic's
    """Return what one of pydantic's errors says, as a check of ours said it."""
    said: str = error["msg"]
    return said.removeprefix("Value error, ")


def field_errors(errors: Sequence[Any]) -> list[dict[str, str]]:
    """Return what pydantic found wrong, field by field, as `errors` has it.

    That a list is too short once its wrong entries are left out is no mistake of its own.
    """
    places = [error["loc"] for error in errors]

    def has_wrong_entries(place: tuple[object, ...]) -> bool:
        return any(other != place and other[: len(place)] == place for other in places)

    return [
        {
            "field": ".".join(str(part) for part in error["loc"] if part != "body") or "body",
            "code": error["type"],
            "message": words_of(error),
        }
        for error in errors
        if error["type"] != "too_short" or not has_wrong_entries(error["loc"])
    ]


def install(app: FastAPI) -> None:
    """Make an application answer every error as a problem document."""

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> JSONResponse:
        return error.response(request.url.path)

    @app.exception_handler(Unavailable)
    async def _unavailable(request: Request, error: Unavailable) -> JSONResponse:
        return unavailable(error).response(request.url.path)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        if any(entry["type"] == "json_invalid" for entry in error.errors()):
            problem = Problem(
                HTTPStatus.BAD_REQUEST, "not_json", "The body is not JSON; check its syntax."
            )
        else:
            problem = Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "invalid",
                "Some fields are missing or wrong; see errors.",
                errors=field_errors(error.errors()),
            )
        return problem.response(request.url.path)

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        status = HTTPStatus(error.status_code)
        problem = Problem(
            status,
            _CODES.get(status, status.phrase.lower().replace(" ", "_")),
            str(error.detail),
            headers=error.headers,
        )
        return problem.response(request.url.path)

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, _: Exception) -> JSONResponse:
        problem = Problem(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "internal",
            "Something went wrong on our side; it is logged. Trying again is safe.",
        )
        return problem.response(request.url.path)
