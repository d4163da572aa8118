"""What a request says of its viewer."""

from fastapi import Request

from services.console.domain.language import Language, preferred

LANGUAGE_COOKIE = "lowtide_language"


def language_of(request: Request) -> Language:
    """Return the viewer's language: their choice, else their browser's."""
    return preferred(request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language"))
