"""Values in paths: what is escaped in a segment stays in it, a slash too (ADR 145).

Servers unescape a path before routes are searched, so that the SKU `A/B` would be two segments.
What routes are searched by has a slash and a percent sign within a segment still escaped, and
nothing else; `whole` gives handlers their parameters as they were meant.
"""

from urllib.parse import unquote

from starlette.requests import HTTPConnection
from starlette.types import Scope


def path_of(scope: Scope) -> str:
    """Return the path of a request with its segments as they were sent."""
    raw: bytes = scope.get("raw_path", b"")
    if b"%" not in raw:
        path: str = scope["path"]
        return path
    return "/".join(_escaped(unquote(each)) for each in raw.decode("ascii").split("/"))


def unescaped(segments: str) -> str:
    """Return one or more segments of such a path as they read."""
    return segments.replace("%2F", "/").replace("%25", "%")


async def whole(request: HTTPConnection) -> None:
    """Unescape a request's path parameters, before any other dependency reads them."""
    parameters = request.scope["path_params"]
    request.scope["path_params"] = {
        name: unescaped(value) if isinstance(value, str) else value
        for name, value in parameters.items()
    }


def _escaped(segment: str) -> str:
    return segment.replace("%", "%25").replace("/", "%2F")
