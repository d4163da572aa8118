"""Where something is named that cannot be deleted for that: in words, with links."""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import quote, urlencode

from services.console.domain.named_places import Place, place_of
from services.console.pages.frame import Frame


class Shown(NamedTuple):
    """A place in words, and its page; "" where the console has none."""

    words: str
    path: str


async def shown(frame: Frame, used_by: Sequence[str], owner: str = "") -> list[Shown]:
    """Return where something is named; `owner` is the person whose open alerts are meant."""
    places = [place_of(said) for said in used_by]
    kinds = {place.kind for place in places}
    names: dict[str, dict[str, str]] = {}
    if "rule" in kinds:
        names["rule"] = await frame.rule_names()
    if kinds & {"playbook", "followed"}:
        known = await frame.context.rules.playbooks()
        names["playbook"] = {one.id: frame.words.named(one.name) for one in known}
        names["followed"] = names["playbook"]
    return [
        Shown(
            frame.words(
                f"named.{place.kind}", name=names.get(place.kind, {}).get(place.id, place.id)
            ),
            _path(place, owner),
        )
        for place in places
    ]


def _path(place: Place, owner: str) -> str:
    match place.kind:
        case "rule":
            return f"/rules/{quote(place.id, safe='')}"
        case "table" | "row":
            return "/people#responsibilities"
        case "alerts":
            return f"/alerts?{urlencode({'owner': owner})}"
        case _:
            return ""
