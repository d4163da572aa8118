"""Collect from the lines what the catalogue has to know before they can be posted."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from deploy.local.replays.mapping import Mapped
from deploy.local.replays.source import Line


class Catalogue:
    """The file's SKUs with their spellings and names, and the spellings of its service codes."""

    def __init__(self) -> None:
        self.service_spellings: set[str] = set()
        self._spellings: defaultdict[str, set[str]] = defaultdict(set)
        self._names: dict[str, str] = {}

    def watch_names(self, lines: Iterable[Line]) -> Iterator[Line]:
        """Pass lines on, remembering how paid ones describe their code first."""
        names = self._names
        for line in lines:
            if line.unit_price > 0 and line.description and line.code not in names:
                names[line.code] = line.description.strip()
            yield line

    def watch(self, lines: Iterable[Mapped]) -> Iterator[Mapped]:
        """Pass mapped lines on, remembering their codes."""
        for line in lines:
            if line.is_goods:
                self._spellings[line.folded].add(line.change.sku)
            else:
                self.service_spellings.add(line.change.sku)
            yield line

    def skus(self) -> list[dict[str, object]]:
        """Return the items of `POST /v1/skus`; other letter cases are aliases."""
        items: list[dict[str, object]] = []
        for folded, spellings in sorted(self._spellings.items()):
            names = (self._names[code] for code in sorted(spellings) if code in self._names)
            items.append(
                {
                    "sku": folded,
                    "name": next(names, folded),
                    "aliases": sorted(spellings - {folded}),
                }
            )
        return items

    def ignored(self) -> list[dict[str, object]]:
        """Return the items of `PUT /v1/channels/{id}/mappings` for the service codes."""
        return [
            {"kind": "sku", "external": spelling, "action": "ignore"}
            for spelling in sorted(self.service_spellings)
        ]
