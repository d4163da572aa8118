"""What a request says of its viewer."""

from fastapi import Request
from starlette.types import Scope

from services.console.domain.language import Language, preferred

LANGUAGE_COOKIE = "lowtide_language"


def language_of(request: Request) -> Language:
    """Return the viewer's language: their choice, else their browser's."""
    return preferred(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language"))


def address_of(scope: Scope) -> str:
    """Return what was asked for, path and query, as it was written."""
    query = scope["query_string"]
    return str((scope["raw_path"] + (b"?" + query if query else b"")).decode("ascii", "replace"))
