"""Compare what the services answer with the recount: levels, alerted SKUs, notices."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from deploy.local.replays.declaration import Declaration
from deploy.local.replays.lowtide import Lowtide
from deploy.local.replays.recount import Recount

EXAMPLES = 5
"""Differences named in a message; the numbers count all of them."""


@dataclass(frozen=True)
class Levels:
    """How many levels were compared and which differ, in words."""

    checked: int
    mismatched: tuple[str, ...]


async def check_levels(lowtide: Lowtide, recount: Recount, warehouse: str) -> Levels:
    """Compare every level that the ledger answers or the recount knows, in all its numbers."""
    answered = {
        (item["sku"], item["warehouse"]): {
            "on_hand": item["on_hand"],
            "available": item["available"],
            "sold_total": item["sold_total"],
            "returned_total": item["returned_total"],
            "received_total": item["received_total"],
        }
        async for item in lowtide.items("ledger", "/v1/levels")
    }
    expected = {
        (sku, warehouse): {
            "on_hand": level.on_hand,
            "available": level.on_hand,
            "sold_total": level.sold_total,
            "returned_total": level.returned_total,
            "received_total": level.received_total,
        }
        for sku, level in recount.levels.items()
    }
    keys = sorted(answered.keys() | expected.keys())
    return Levels(
        checked=len(keys),
        mismatched=tuple(
            f"{'|'.join(key)}: the ledger has {answered.get(key)}, the file {expected.get(key)}"
            for key in keys
            if answered.get(key) != expected.get(key)
        ),
    )


@dataclass(frozen=True)
class Episode:
    """What `/v1/alerts` tells of an episode."""

    id: str
    number: int
    rule: str
    sku: str
    warehouse: str
    is_resolved: bool


async def read_episodes(lowtide: Lowtide) -> list[Episode]:
    """Return every episode there ever was."""
    return [
        Episode(
            id=item["id"],
            number=item["number"],
            rule=item["rule"]["id"],
            sku=item["sku"],
            warehouse=item["warehouse"],
            is_resolved=item["state"] == "resolved",
        )
        async for item in lowtide.items("alerting", "/v1/alerts", state="all")
    ]


def reopened(episodes: list[Episode]) -> int:
    """Return how many episodes followed another of the same rule and subject."""
    return len(episodes) - len({(each.rule, each.sku, each.warehouse) for each in episodes})


@dataclass(frozen=True)
class Subjects:
    """The SKUs that were alerted and that ought to have been, over the checked rules."""

    alerted: int
    expected: int
    differing: tuple[str, ...]


def check_subjects(episodes: list[Episode], recount: Recount, declaration: Declaration) -> Subjects:
    """Compare the SKUs with an episode of each checked rule with those of the recount, as sets."""
    alerted: defaultdict[str, set[str]] = defaultdict(set)
    for episode in episodes:
        alerted[episode.rule].add(episode.sku)
    rules: Mapping[str, tuple[str, float]] = declaration.checked_rules()
    expected = {rule: recount.alerted(kind, limit) for rule, (kind, limit) in rules.items()}
    return Subjects(
        alerted=sum(len(alerted[rule]) for rule in rules),
        expected=sum(len(expected[rule]) for rule in rules),
        differing=tuple(
            f"{rule}: {sku} was {'' if sku in alerted[rule] else 'not '}alerted, "
            f"its lowest level was {_lowest(recount, sku)}"
            for rule in rules
            for sku in sorted(alerted[rule] ^ expected[rule])
        ),
    )


def _lowest(recount: Recount, sku: str) -> int | None:
    level = recount.levels.get(sku)
    return None if level is None else level.lowest
