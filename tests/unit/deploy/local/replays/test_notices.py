from deploy.local.replays.checking import Episode
from deploy.local.replays.group import Message
from deploy.local.replays.notices import First, Notices, judge

ALONE = "0199c1f0-0000-7000-8000-000000000001"
MERGED = "0199c1f0-0000-7000-8000-000000000002"


def episode(alert_id: str) -> Episode:
    return Episode(alert_id, 1, "stock-out", "85123A", "london", is_resolved=False)


def notice(alert_id: str, number: int = 1, mark: str = "") -> Message:
    return Message(number, f"**{mark}#1 MUG**\n[详情](http://console/alerts/{alert_id})", False)


DIGEST = Message(
    9, f"> [#2 MUG](http://console/alerts/{MERGED})\n[全部](http://console/alerts)", False
)


def judged(
    *messages: Message, firsts: tuple[First, ...] = (), digests: dict[str, bool] | None = None
) -> Notices:
    by_id = {first.alert_id: first for first in firsts}
    episodes = [episode(alert_id) for alert_id in by_id]
    return judge(episodes, by_id, digests or {}, messages)


def test_a_notice_reached_the_group_when_the_group_has_it() -> None:
    found = judged(notice(ALONE), firsts=(First(ALONE, "sent", None),))
    assert found == Notices(sent=1, merged=0, unreached=(), repeated=())


def test_a_notice_that_only_the_notifier_believes_sent_reached_nobody() -> None:
    assert len(judged(firsts=(First(ALONE, "sent", None),)).unreached) == 1


def test_a_line_in_a_digest_is_not_a_notice_alone() -> None:
    assert len(judged(DIGEST, firsts=(First(MERGED, "sent", None),)).unreached) == 1


def test_a_merged_notice_reached_the_group_with_its_digest() -> None:
    first = First(MERGED, "merged", "d1")
    assert judged(DIGEST, firsts=(first,), digests={"d1": True}).merged == 1
    assert len(judged(firsts=(first,), digests={"d1": False}).unreached) == 1
    assert len(judged(firsts=(first,), digests={"d2": True}).unreached) == 1


def test_an_episode_without_a_first_notice_reached_nobody() -> None:
    assert len(judge([episode(ALONE)], {}, {}, []).unreached) == 1


def test_a_notice_that_still_waits_reached_nobody() -> None:
    assert len(judged(notice(ALONE), firsts=(First(ALONE, "failed", None),)).unreached) == 1


def test_the_same_notice_twice_is_told() -> None:
    first = First(ALONE, "sent", None)
    assert len(judged(notice(ALONE), notice(ALONE, 2), firsts=(first,)).repeated) == 1


def test_a_second_notice_that_says_so_is_in_order() -> None:
    first = First(ALONE, "sent", None)
    assert judged(notice(ALONE), notice(ALONE, 2, "[可能重复] "), firsts=(first,)).repeated == ()
