"""Mails for one person each, and their links: looking changes nothing, confirming acts once."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from cryptography.fernet import Fernet
from pydantic import SecretStr
from structlog.testing import capture_logs

from services.notifier.destinations.links import read_stamp, stamp
from services.notifier.domain.links import Link
from services.notifier.settings import SecretSettings
from services.notifier.store.secrets import Vault
from shared.clock import ManualClock, WallClock
from shared.events.alert_responses import AlertResponse, ResponseKind
from shared.testing.mailbox import Mail
from shared.testing.stack import Database
from tests.factories.stock_alerts import alert_id, stock_alert
from tests.integration.notifier.service import Notifier, running

pytestmark = pytest.mark.stack

LIN = {"id": "lin", "name": "林", "language": "zh-CN", "email": "lin@example.com"}
WANG = {"id": "wang", "name": "Wang", "language": "en", "email": "wang@example.com"}
LINK = re.compile(r"http://notifier\.example/respond/[A-Za-z0-9_=-]+")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(WallClock().now())


@pytest_asyncio.fixture
async def linking(
    settings: SecretSettings, database: Database, key: Path, clock: ManualClock
) -> AsyncIterator[Notifier]:
    """The notifier, at an address that mails may lead to."""
    public = settings.model_copy(update={"public_url": "http://notifier.example/"})
    async with running(public, database, key, clock) as service:
        yield service


async def mailed(notifier: Notifier, clock: ManualClock) -> dict[str, Mail]:
    """Send an opening to two people; returns their mails."""
    await notifier.mail(personal=True)
    await notifier.tell(stock_alert(7, to=[LIN, WANG]))
    async with notifier.sending(clock=clock):
        await notifier.until_states("sent")
    return {mail.recipients[0]: mail for mail in notifier.mailbox.mails}


def links(mail: Mail) -> list[str]:
    """Return the paths of a mail's links, in order: acknowledge, false alarm, snooze."""
    return [each.removeprefix("http://notifier.example") for each in LINK.findall(mail.text)]


def visitor(notifier: Notifier) -> httpx.AsyncClient:
    """Return somebody who has no token."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(notifier.app), base_url="http://notifier.example"
    )


async def responses(notifier: Notifier) -> list[AlertResponse]:
    rows = await notifier.rows("SELECT value FROM response_outbox ORDER BY id")
    return [AlertResponse.model_validate_json(row["value"]) for row in rows]


@pytest.mark.parametrize(("code", "state"), [(451, "failed"), (554, "dead")])
async def test_a_server_that_repeats_a_link_gives_it_to_nobody(
    linking: Notifier, code: int, state: str
) -> None:
    linking.mailbox.refuse_content(code, times=9, quotes=LINK.pattern)
    await linking.mail(personal=True)
    await linking.bot()
    await linking.tell(stock_alert(7, to=[LIN]))
    async with linking.sending():
        await linking.until_states(state, destination="post")
    rows = await linking.rows("SELECT code, detail FROM attempt WHERE detail LIKE '%ordered%'")
    rows += await linking.rows("SELECT reason FROM delivery WHERE reason LIKE '%ordered%'")
    rows += await linking.rows("SELECT content FROM delivery WHERE kind = 'meta'")
    told = " ".join(str(each) for row in rows for each in row)
    # Of a refusal for good nothing is kept but its code.
    assert ("/respond/****" in told) is (code == 451)
    assert not LINK.search(told), told


async def test_each_gets_a_mail_of_their_own_and_nobody_elses_links(
    linking: Notifier, clock: ManualClock
) -> None:
    mails = await mailed(linking, clock)
    assert {name: mail.recipients for name, mail in mails.items()} == {
        "lin@example.com": ("lin@example.com",),
        "wang@example.com": ("wang@example.com",),
    }
    lin, wang = mails["lin@example.com"], mails["wang@example.com"]
    assert (lin.message["To"], wang.message["To"]) == tuple(mails)
    assert len(links(lin)) == 3
    assert links(lin) == [
        each.removeprefix("http://notifier.example") for each in LINK.findall(lin.html)
    ]
    assert not set(links(lin)) & set(links(wang))
    assert lin.message["Message-ID"] != wang.message["Message-ID"]
    (delivery,) = await linking.rows("SELECT id FROM delivery")
    # Whoever may read deliveries cannot act as their readers.
    shown = await linking.ask("GET", f"/v1/deliveries/{delivery['id']}")
    assert not set(links(lin)) & set(re.findall(r"/respond/[^\s\"]+", str(shown)))
    vault = Vault(linking.settings.secret_key)
    read = [read_stamp(vault, each.removeprefix("/respond/"), clock.now()) for each in links(lin)]
    assert read == [
        Link(delivery["id"], "lin@example.com", kind)
        for kind in (ResponseKind.ACKNOWLEDGE, ResponseKind.FALSE_ALARM, ResponseKind.SNOOZE)
    ]


async def test_looking_changes_nothing_and_confirming_acts_once(
    linking: Notifier, clock: ManualClock
) -> None:
    mails = await mailed(linking, clock)
    acknowledge, false_alarm, _ = links(mails["lin@example.com"])
    async with visitor(linking) as reader:
        for path in (*links(mails["lin@example.com"]), *links(mails["wang@example.com"])):
            page = await reader.get(path)
            assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
            assert "script" not in page.text
        assert await responses(linking) == []
        chinese = await reader.get(acknowledge)
        assert 'lang="zh-CN"' in chinese.text
        assert "#7 蓝色马克杯" in chinese.text
        assert "default-src 'none'" in chinese.headers["content-security-policy"]
        english = await reader.get(links(mails["wang@example.com"])[0])
        assert "Acknowledge" in english.text
        for _ in range(2):
            assert "已收到" in (await reader.post(acknowledge)).text
        await reader.post(false_alarm, data={"choice": "known"})
    first, second = await responses(linking)
    assert (first.kind, first.who, first.via, first.alert_id) == (
        "acknowledge",
        "lin@example.com",
        "email",
        alert_id(7),
    )
    assert (second.kind, second.reason) == ("false_alarm", "known")


async def test_a_link_lapses_and_cannot_be_made_up(linking: Notifier, clock: ManualClock) -> None:
    mails = await mailed(linking, clock)
    path = links(mails["lin@example.com"])[0]
    (delivery,) = await linking.rows("SELECT id FROM delivery")
    link = Link(delivery["id"], "lin@example.com", ResponseKind.ACKNOWLEDGE)
    stranger = stamp(Vault(SecretStr(Fernet.generate_key().decode())), link, clock.now())
    sealed = Vault(linking.settings.secret_key).stamp("[]", clock.now())
    altered = f"{path[:60]}{'B' if path[60] == 'A' else 'A'}{path[61:]}"
    async with visitor(linking) as reader:
        for wrong in (altered, f"/respond/{stranger}", f"/respond/{sealed}"):
            assert (await reader.post(wrong)).status_code == 410
        clock.advance(timedelta(hours=72, seconds=1))
        for answer in (await reader.get(path), await reader.post(path)):
            assert answer.status_code == 410
            assert "does not work any more" in answer.text
    assert await responses(linking) == []


async def test_a_link_is_looked_at_with_head_too_and_never_in_the_log(
    linking: Notifier, clock: ManualClock
) -> None:
    path = links((await mailed(linking, clock))["lin@example.com"])[0]
    async with visitor(linking) as reader:
        with capture_logs() as lines:
            statuses = [
                (await reader.head(path)).status_code,
                (await reader.get(f"{path}%3E")).status_code,
                (await reader.delete(path)).status_code,
                (await reader.post(path[:-1])).status_code,
            ]
    assert statuses == [200, 422, 405, 410]
    assert [line["path"] for line in lines] == ["/respond/****"] * 4
    assert path.removeprefix("/respond/")[:60] not in str(lines)
    assert await responses(linking) == []


async def test_what_names_nobody_goes_to_the_fixed_address_and_an_end_has_no_links(
    linking: Notifier, clock: ManualClock
) -> None:
    await linking.mail(personal=True)
    await linking.tell(stock_alert(7), stock_alert(7, revision=2, event="resolved"))
    async with linking.sending(clock=clock):
        await linking.until_states("sent", "sent")
    opened, resolved = linking.mailbox.mails
    assert opened.recipients == ("buyer@example.com",)
    assert (len(links(opened)), links(resolved)) == (3, [])
    assert resolved.message["References"] == opened.message["Message-ID"]


async def test_whoever_has_a_mail_does_not_get_it_again_for_another(
    linking: Notifier, clock: ManualClock
) -> None:
    linking.mailbox.refuse("wang@example.com", 451, times=1)
    await linking.mail(personal=True)
    await linking.tell(stock_alert(7, to=[WANG, LIN]))
    async with linking.sending():
        await linking.until_states("sent")
    assert [mail.recipients for mail in linking.mailbox.mails] == [
        ("lin@example.com",),
        ("wang@example.com",),
    ]


async def test_whose_mail_is_refused_keeps_it_from_nobody_else(
    linking: Notifier, clock: ManualClock
) -> None:
    linking.mailbox.refuse_content(552)
    await linking.mail(personal=True)
    await linking.tell(stock_alert(7, to=[WANG, LIN]))
    async with linking.sending():
        await linking.until_states("sent")
    assert [mail.recipients for mail in linking.mailbox.mails] == [("lin@example.com",)]
    (delivery,) = await linking.rows("SELECT reason FROM delivery")
    assert delivery["reason"] == "some_recipients_refused: wang@example.com (552)"


async def test_a_digest_goes_to_everybody_it_has_something_for(
    linking: Notifier, clock: ManualClock
) -> None:
    now = clock.now()
    gather = {"key": "same_owner|1", "by": now.isoformat(), "why": "same_owner"}
    await linking.mail(personal=True)
    await linking.tell(
        *(stock_alert(number, to=[one], gather=gather) for number, one in ((7, LIN), (8, WANG)))
    )
    async with linking.sending(clock=clock):
        await linking.until_settled()
    people = [mail.recipients for mail in linking.mailbox.mails]
    assert sorted(people) == [("lin@example.com",), ("wang@example.com",)]


async def test_a_lost_answer_repeats_one_persons_mail_alone(
    linking: Notifier, clock: ManualClock
) -> None:
    linking.mailbox.lose_answer()
    await linking.mail(personal=True)
    await linking.tell(stock_alert(7, to=[WANG, LIN]))
    async with linking.sending():
        await linking.until_states("sent")
    recipients = [mail.recipients[0] for mail in linking.mailbox.mails]
    assert sorted(recipients) == ["lin@example.com", "wang@example.com", "wang@example.com"]


async def test_without_an_address_of_its_own_there_are_no_links(notifier: Notifier) -> None:
    await notifier.mail(personal=True)
    await notifier.tell(stock_alert(7, to=[LIN]))
    async with notifier.sending():
        await notifier.until_states("sent")
    (mail,) = notifier.mailbox.mails
    assert "/respond/" not in mail.text + mail.html


async def test_a_refusal_is_mailed_to_one_person_alone(
    linking: Notifier, clock: ManualClock
) -> None:
    await linking.mail(personal=True)
    await linking.mail("group")
    await linking.tell(stock_alert(7, to=[LIN]))
    refused = stock_alert(7, revision=2, event="refused", to=[WANG], note="not yours")
    await linking.tell(refused)
    async with linking.sending(clock=clock):
        await linking.until_settled()
    # Destinations are sent to side by side: the group's first mail may come last of all.
    refusals = [mail for mail in linking.mailbox.mails if "not yours" in mail.text]
    assert [(mail.recipients, links(mail)) for mail in refusals] == [(("wang@example.com",), [])]
    assert len(linking.mailbox.mails) == 3
