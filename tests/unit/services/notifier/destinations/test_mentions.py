"""Whom a message in a group rings, with each vendor that can."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import pytest
from pydantic import SecretStr

from services.notifier.destinations.kinds import Renderer, read
from services.notifier.destinations.mentions import PEOPLE_CALLED
from services.notifier.domain.addresses import Address, DingtalkBot, FeishuBot, Slack, WecomBot
from services.notifier.domain.contents import DigestLine
from services.notifier.domain.deliveries import Delivery, Kind
from services.notifier.domain.destinations import Language
from services.notifier.domain.manners import Manners
from shared.testing import dingtalk, feishu, slack, wecom
from shared.testing.dingtalk import FakeDingtalk
from shared.testing.feishu import FakeFeishu
from shared.testing.slack import FakeSlack
from shared.testing.unruly_http import Reply, Request
from shared.testing.wecom import FakeWecom
from tests.factories.stock_alerts import stock_alert
from tests.unit.services.notifier.destinations.deliveries import (
    ACTED,
    EVIL,
    LONGEST,
    META,
    NOW,
    REQUESTED,
    TEST,
    WIDE,
    delivery,
    destination,
    digest,
)

TOKEN, CHANNEL = "3f1d0c6a5e4f439f0a6a0d5d6f7e11", "C024BE91L"
SECRET = SecretStr(TOKEN)
RENDERER = Renderer("http://console.example/")
JSON = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}


def _wecom(raw: bytes) -> tuple[str, Sequence[str]]:
    fake = FakeWecom({TOKEN})
    _taken(fake.answer(Request("POST", wecom.PATH, {"key": TOKEN}, raw)), errcode=0)
    return fake.accepted[0].content, fake.accepted[0].rung


def _dingtalk(raw: bytes) -> tuple[str, Sequence[str]]:
    fake = FakeDingtalk({TOKEN: None})
    asked = Request("POST", dingtalk.PATH, {"access_token": TOKEN}, raw, JSON)
    _taken(fake.answer(asked), errcode=0)
    return fake.accepted[0].text, fake.accepted[0].rung


def _feishu(raw: bytes) -> tuple[str, Sequence[str]]:
    fake = FakeFeishu({TOKEN: None})
    _taken(fake.answer(Request("POST", feishu.PATH + TOKEN, {}, raw)), code=0)
    return fake.accepted[0].text, fake.accepted[0].rung


def _slack(raw: bytes) -> tuple[str, Sequence[str]]:
    fake = FakeSlack(TOKEN, {CHANNEL}, members=_Everybody())
    _taken(fake.answer(Request("POST", slack.PATH, {}, raw, JSON)), ok=True)
    return fake.posted[0].text, fake.posted[0].rung


class _Everybody:
    def __contains__(self, user: object) -> bool:
        return True


def _taken(answer: object, **said: object) -> None:
    assert isinstance(answer, Reply)
    body = json.loads(answer.body)
    assert {name: body[name] for name in said} == said


@dataclass(frozen=True)
class Group:
    """A vendor's group: what it takes, and by which field and ids it knows people."""

    address: Address
    accepted: Callable[[bytes], tuple[str, Sequence[str]]]
    field: str
    lin: str
    boss: str
    longest: str
    no_ids: Sequence[str]

    def text_and_rung(
        self, one: Delivery, language: Language = Language.CHINESE, *, mentions: bool = True
    ) -> tuple[str, list[str]]:
        place = replace(destination(language, self.address), manners=Manners(mentions=mentions))
        raw = RENDERER.render(one, place, NOW)
        text, rung = self.accepted(raw)
        longest = self.address.longest_bytes
        assert longest is not None
        assert read(self.address.kind, raw).counted_bytes <= longest
        return text, list(rung)

    def rung(self, one: Delivery) -> list[str]:
        return self.text_and_rung(one)[1]

    def person(self, id_: str, userid: str | None) -> dict[str, object]:
        return {"id": id_, "name": f"{id_} called", "language": "en", self.field: userid}


OU = "ou_7d8a6e6df7621556ce0d21922b6767"
WORDS = ("all", "ALL", "@all", "lin>", "lin wang", "", "l" * 65, "lin\n")
GROUPS = {
    "wecom_bot": Group(
        WecomBot(SECRET, "https://wecom.example"),
        _wecom,
        "wecom_userid",
        "lin",
        "Boss.1",
        "w{:063}",
        WORDS,
    ),
    "dingtalk_bot": Group(
        DingtalkBot(SECRET, "https://dingtalk.example"),
        _dingtalk,
        "dingtalk_userid",
        "manager4220",
        "0123-45",
        "d{:063}",
        WORDS,
    ),
    "feishu_bot": Group(
        FeishuBot(SECRET, "https://feishu.example"),
        _feishu,
        "feishu_open_id",
        f"{OU}06",
        f"{OU}07",
        "ou_{:061}",
        ("all", "lin@example.com", "ou_", f"{OU}></at><at id=all", f"{OU}\n"),
    ),
    "slack": Group(
        Slack(SECRET, CHANNEL, "https://slack.example"),
        _slack,
        "slack_user_id",
        "U012AB3CD",
        "W012AB3CE",
        "U{:020}",
        ("!channel", "lin", "U012AB3CD>", "u012ab3cd", "U012AB3CD\n"),
    ),
}
each_group = pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS)


def to(group: Group, *people: tuple[str, str | None]) -> list[dict[str, object]]:
    return [group.person(*each) for each in people]


@each_group
def test_a_first_notice_rings_whom_it_is_for_and_says_so_first(group: Group) -> None:
    people = to(group, ("lin", group.lin), ("wang", None), ("boss", group.boss))
    text, rung = group.text_and_rung(delivery(stock_alert(7, to=people)))
    assert rung == [group.lin, group.boss]
    (line,) = (each for each in text.splitlines() if "请处理" in each)
    assert line.index(group.lin) < line.index("wang called") < line.index(group.boss)
    assert text.index("请处理") < text.index("SKU-7")
    english = group.text_and_rung(delivery(stock_alert(7, to=people)), Language.ENGLISH)[0]
    assert "For" in english.partition("wang called")[0]


LATER = {"revision": 2, "previous_level": "urgent"}


@each_group
@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Kind.CHANGE, {"event": "level_changed", **LATER}),
        (Kind.CHANGE, {"event": "reminded", **LATER}),
        (Kind.ESCALATION, {"event": "escalated", **LATER}),
        (Kind.FIRST, {"event": "escalated", **LATER}),
        (Kind.FIRST, {"event": "level_changed", "level": "watch", **LATER}),
        (Kind.ESCALATION, {"event": "acted", "action": REQUESTED["action"], **LATER}),
    ],
    ids=[
        "worse",
        "reminder",
        "escalation",
        "first by escalation",
        "first when it is better",
        "request",
    ],
)
def test_what_calls_for_somebody_rings(group: Group, kind: Kind, fields: dict[str, object]) -> None:
    alert = stock_alert(7, to=to(group, ("lin", group.lin)), **fields)
    assert group.rung(delivery(alert, kind)) == [group.lin]


@each_group
@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (Kind.CHANGE, {"event": "level_changed", "level": "watch"}),
        (Kind.FIRST, {"event": "acknowledged", "acknowledged_by": "lin"}),
        (Kind.CHANGE, {"event": "acted", "action": ACTED["action"]}),
        *(
            (Kind.CHANGE, {"event": event})
            for event in (
                "acknowledged",
                "assigned",
                "snoozed",
                "acted",
                "feedback",
                "retracted",
                "resolved",
            )
        ),
    ],
    ids=lambda said: said if isinstance(said, Kind) else said["event"],
)
def test_what_is_better_over_or_only_noted_rings_nobody(
    group: Group, kind: Kind, fields: dict[str, object]
) -> None:
    alert = stock_alert(7, to=to(group, ("lin", group.lin)), **(LATER | fields))
    text, rung = group.text_and_rung(delivery(alert, kind))
    assert rung == []
    assert "请处理" not in text


@each_group
def test_digests_and_notes_of_the_notifiers_own_ring_nobody(group: Group) -> None:
    alert = stock_alert(7, to=to(group, ("lin", group.lin)))
    merged = digest((DigestLine(alert=alert),), 1).model_copy(update={"to": alert.to})
    assert group.rung(delivery(merged, Kind.DIGEST)) == []
    assert group.rung(TEST) == group.rung(META) == []


@each_group
def test_a_group_that_is_not_to_be_rung_is_told_the_same(group: Group) -> None:
    people = to(group, ("lin", group.lin))
    told = group.text_and_rung(delivery(stock_alert(7, to=people)), mentions=False)
    assert told == group.text_and_rung(delivery(stock_alert(7)))
    assert told[1] == []


@each_group
def test_where_nobody_has_an_id_nobody_is_called(group: Group) -> None:
    elsewhere = {"email": "lin@example.com"}
    people = [group.person("lin", None) | elsewhere, group.person("wang", None)]
    told = group.text_and_rung(delivery(stock_alert(7, owner="lin", to=people)))
    assert told == group.text_and_rung(delivery(stock_alert(7, owner="lin")))


@each_group
def test_what_is_no_id_of_one_person_rings_nobody(group: Group) -> None:
    for userid in group.no_ids:
        people = to(group, ("lin", group.lin), ("evil", userid))
        text, rung = group.text_and_rung(delivery(stock_alert(7, to=people)))
        assert rung == [group.lin]
        assert "evil called" in text


@each_group
def test_what_goods_notes_and_people_are_called_rings_nobody(group: Group) -> None:
    """As markup of any vendor, with the id of somebody whom it is not for."""
    markup = f"<@{group.boss}> @{group.boss} <at id={group.boss}></at> {EVIL.sku_name}"
    boss = {"id": "boss", "name": f"{markup} {EVIL.note}", "language": "en"}
    people = [*to(group, ("lin", group.lin)), boss]
    fields: dict[str, object] = {"sku_name": markup, "note": f"{markup} {EVIL.note}"}
    for language in Language:
        one = delivery(stock_alert(7, to=people, owner=markup, **fields))
        assert group.text_and_rung(one, language)[1] == [group.lin]
        assert group.text_and_rung(one, language, mentions=False)[1] == []


@each_group
@pytest.mark.parametrize("language", list(Language))
def test_the_longest_message_has_its_mentions_whole(group: Group, language: Language) -> None:
    ids = [group.longest.format(number) for number in range(20)]
    people = to(group, *((id_, id_) for id_ in ids))
    longest = LONGEST.model_copy(update={"to": stock_alert(to=people).to, "owner": WIDE * 5_000})
    marked = delivery(longest, duplicate_possible=True)
    assert group.text_and_rung(marked, language)[1] == ids[-PEOPLE_CALLED:]
    assert "…" in group.text_and_rung(delivery(stock_alert(to=people)), language)[0]


@each_group
def test_names_beside_mentions_are_shortened_like_all_that_is_typed(group: Group) -> None:
    wide = [{"id": str(number), "name": WIDE * 5_000, "language": "en"} for number in range(7)]
    people = [*to(group, ("lin", group.lin)), *wide]
    longest = LONGEST.model_copy(update={"to": stock_alert(to=people).to})
    assert group.rung(delivery(longest, duplicate_possible=True)) == [group.lin]


def test_dingtalk_is_told_twice_and_never_of_everybody() -> None:
    """Only those in `at` and in the text are rung; a product's name is in the text alone."""
    group = GROUPS["dingtalk_bot"]
    alert = stock_alert(7, sku_name="@all @0123-45", to=to(group, ("lin", group.lin)))
    raw = RENDERER.render(delivery(alert), destination(Language.CHINESE, group.address), NOW)
    body = json.loads(raw)
    assert body["at"] == {"atUserIds": [group.lin], "isAtAll": False}
    assert f"@{group.lin}\n" in body["markdown"]["text"]
