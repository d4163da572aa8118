"""Find out whether every episode has reached the group, by itself or in a digest."""

import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from deploy.local.replays.checking import Episode
from deploy.local.replays.group import Message
from deploy.local.replays.lowtide import Json, Lowtide
from deploy.local.replays.set_up import DESTINATION

# A single notice ends with the link to its episode, a digest with the link to all of them.
_ONE_EPISODE = re.compile(r"/alerts/([0-9a-f-]{36})\)\s*$")


@dataclass(frozen=True)
class First:
    """What became of the first notice of an episode."""

    alert_id: str
    state: str
    digest_id: str | None


@dataclass(frozen=True)
class Notices:
    """First notices sent by themselves and merged into digests; what is wrong, in words."""

    sent: int
    merged: int
    unreached: tuple[str, ...]
    repeated: tuple[str, ...]
    """Notices that the group has received twice without being told that it may be so."""


async def check_notices(
    lowtide: Lowtide, episodes: Sequence[Episode], messages: Sequence[Message]
) -> Notices:
    """Compare the notifier's deliveries with what the group has received."""
    firsts = {
        item["alert_id"]: First(item["alert_id"], item["state"], item["digest_id"])
        async for item in _deliveries(lowtide, "first")
    }
    received = {
        item["id"]: await _was_received(lowtide, item["id"], messages)
        async for item in _deliveries(lowtide, "digest")
        if item["state"] == "sent"
    }
    return judge(episodes, firsts, received, messages)


def judge(
    episodes: Sequence[Episode],
    firsts: dict[str, First],
    received_digests: dict[str, bool],
    messages: Sequence[Message],
) -> Notices:
    """Decide by what the group has: a notice alone, or the digest that its delivery names."""
    single = [found[1] for each in messages if (found := _ONE_EPISODE.search(each.content))]
    alone = frozenset(single)
    sent = merged = 0
    unreached: list[str] = []
    for episode in episodes:
        first = firsts.get(episode.id)
        if first is not None and first.state == "sent" and episode.id in alone:
            sent += 1
        elif (
            first is not None
            and first.state == "merged"
            and received_digests.get(first.digest_id or "", False)
        ):
            merged += 1
        else:
            unreached.append(f"episode {episode.number} ({episode.rule}, {episode.sku}): {first}")
    texts = Counter(each.content for each in messages if _ONE_EPISODE.search(each.content))
    repeated = tuple(text for text, times in texts.items() if times > 1)
    return Notices(sent, merged, tuple(unreached), repeated)


def _deliveries(lowtide: Lowtide, kind: str) -> AsyncIterator[Json]:
    return lowtide.items("notifier", "/v1/deliveries", destination=DESTINATION, kind=kind)


async def _was_received(lowtide: Lowtide, digest: str, messages: Sequence[Message]) -> bool:
    delivery = await lowtide.get("notifier", f"/v1/deliveries/{digest}")
    rendered = {attempt["rendered"] for attempt in delivery["attempts"]}
    return any(each.content in rendered for each in messages)
