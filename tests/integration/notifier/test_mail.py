"""What arrives in a mailbox, over real SMTP."""

import json
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from services.notifier.destinations import email
from shared.clock import ManualClock, WallClock
from shared.testing.mailbox import Mailbox
from tests.factories.stock_alerts import stock_alert
from tests.integration.notifier.service import PASSWORD, Notifier

pytestmark = pytest.mark.stack

BOTH = ("buyer@example.com", "boss@example.com")


async def test_an_alert_arrives_as_text_and_html_and_its_end_threads_under_it(
    notifier: Notifier,
) -> None:
    await notifier.mail(to=BOTH)
    await notifier.tell(stock_alert(7))
    await notifier.tell(stock_alert(7, revision=2, event="resolved"))
    async with notifier.sending():
        await notifier.until_states("sent", "sent")
    opened, resolved = notifier.mailbox.mails
    assert opened.recipients == BOTH
    assert opened.message["Subject"] == "[Out of stock] #7 蓝色马克杯"
    assert opened.message["Auto-Submitted"] == "auto-generated"
    assert "Available: 0" in opened.text
    assert "<td" in opened.html
    assert resolved.message["References"] == opened.message["Message-ID"]


async def test_commas_in_quotes_are_part_of_an_address_or_a_name(notifier: Notifier) -> None:
    people = ('"lin,boss"@example.com', "buyer@example.com")
    await notifier.mail(to=people, **{"from": "Lowtide, Shanghai <lowtide@example.com>"})
    await notifier.tell(stock_alert(7))
    async with notifier.sending():
        await notifier.until_states("sent")
    (mail,) = notifier.mailbox.mails
    assert (mail.sender, mail.recipients) == ("lowtide@example.com", people)
    (author,) = mail.message["From"].addresses
    assert author.display_name == "Lowtide, Shanghai"


async def test_a_recipient_put_off_is_tried_again_alone(notifier: Notifier) -> None:
    notifier.mailbox.refuse("boss@example.com", 451, times=1)
    await notifier.mail(to=BOTH)
    async with notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
    first, second = notifier.mailbox.mails
    assert (first.recipients, second.recipients) == (BOTH[:1], BOTH[1:])
    assert first.raw == second.raw


async def test_the_end_of_an_episode_waits_for_its_beginning(notifier: Notifier) -> None:
    notifier.mailbox.refuse("buyer@example.com", 451, times=1)
    await notifier.mail()
    await notifier.tell(stock_alert(7), stock_alert(7, revision=2, event="resolved"))
    async with notifier.sending():
        await notifier.until_states("sent", "sent")
    subjects = [str(mail.message["Subject"]) for mail in notifier.mailbox.mails]
    assert [subject.split("]")[0] for subject in subjects] == ["[Out of stock", "[Resolved"]


async def test_a_refused_recipient_does_not_keep_the_others_from_theirs(
    notifier: Notifier,
) -> None:
    notifier.mailbox.refuse("boss@example.com", 550)
    await notifier.mail(to=BOTH)
    async with notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
    (row,) = await notifier.rows("SELECT reason FROM delivery")
    assert row["reason"] == "some_recipients_refused: boss@example.com (550)"
    assert [mail.recipients for mail in notifier.mailbox.mails] == [BOTH[:1]]


async def test_a_mail_that_nobody_may_get_is_dead_and_can_be_tried_again(
    notifier: Notifier,
) -> None:
    notifier.mailbox.refuse("buyer@example.com", 550, times=1)
    await notifier.mail()
    async with notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("dead")
        (row,) = await notifier.rows("SELECT id FROM delivery")
        await notifier.ask("POST", f"/v1/deliveries/{row['id']}/retry")
        await notifier.until_states("sent")
    assert len(notifier.mailbox.mails) == 1


@pytest.mark.parametrize(("code", "state"), [(452, "failed"), (550, "dead")])
async def test_a_mended_address_gets_what_the_old_one_did_not_take(
    notifier: Notifier, code: int, state: str
) -> None:
    notifier.mailbox.refuse("boss@example.com", code)
    await notifier.mail(to=BOTH[1:])
    async with notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states(state)
        await notifier.mail(to=BOTH[:1])
        (row,) = await notifier.rows("SELECT id FROM delivery")
        await notifier.ask("POST", f"/v1/deliveries/{row['id']}/retry")
        await notifier.until_states("sent")
    (mail,) = notifier.mailbox.mails
    assert (mail.recipients, mail.message["To"]) == (BOTH[:1], BOTH[0])


async def test_a_full_mailbox_holds_up_nobody_else_and_is_not_told_of_what_is_past(
    notifier: Notifier,
) -> None:
    clock = ManualClock(WallClock().now())
    notifier.mailbox.refuse("boss@example.com", 452, times=2)
    await notifier.mail(to=BOTH)
    async with notifier.sending(clock=clock):
        await notifier.tell(stock_alert(7))
        await notifier.until_states("failed")
        await notifier.tell(stock_alert(7, revision=2, event="escalated"))
        await notifier.until_states("failed", "failed")
        # By now there is room again.
        await notifier.tell(stock_alert(7, revision=3, event="resolved"))
        await notifier.until_states("sent", "sent", "sent")
    assert [mail.recipients for mail in notifier.mailbox.mails] == [BOTH[:1], BOTH[:1], BOTH]
    rows = await notifier.rows("SELECT reason, recipients FROM delivery ORDER BY id")
    assert [row["reason"] for row in rows] == ["newer_revision: 3", "newer_revision: 3", None]
    recipients = json.loads(rows[0]["recipients"])
    assert (recipients["left"], recipients["overtaken"]) == ([], [BOTH[1]])


async def test_an_escalation_does_not_wait_for_the_mailbox_of_whoever_did_nothing(
    notifier: Notifier,
) -> None:
    clock = ManualClock(WallClock().now())
    lin, boss = (
        {"id": name, "name": name, "language": "en", "email": f"{name}@example.com"}
        for name in ("lin", "boss")
    )
    notifier.mailbox.refuse("lin@example.com", 452)
    await notifier.mail(personal=True)
    async with notifier.sending(clock=clock):
        await notifier.tell(stock_alert(7, to=[lin]))
        await notifier.until_states("failed")
        await notifier.tell(stock_alert(7, revision=2, event="assigned", owner="boss", to=[boss]))
        await notifier.tell(stock_alert(7, revision=3, event="escalated", to=[boss]))
        await notifier.until_states("failed", "superseded", "sent")
        await notifier.tell(stock_alert(7, revision=4, event="resolved", to=[lin, boss]))
        await notifier.until_states("failed", "superseded", "sent", "failed")
    subjects = [str(mail.message["Subject"]) for mail in notifier.mailbox.mails]
    assert [subject.split("]")[0] for subject in subjects] == ["[Escalated", "[Resolved"]
    assert {mail.recipients for mail in notifier.mailbox.mails} == {BOTH[1:]}


async def test_a_mail_to_many_one_by_one_goes_on_where_it_was_whoever_sends_it(
    notifier: Notifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(email, "_ONE_BY_ONE_SECONDS", 0)
    people = tuple(f"buyer-{number}@example.com" for number in range(5))
    await notifier.mail(to=people, personal=True)
    await notifier.tell(stock_alert(7))
    async with notifier.sending("one"):
        await notifier.until_states("failed")
    async with notifier.sending("two"):
        await notifier.until_states("sent")
    assert [mail.recipients for mail in notifier.mailbox.mails] == [(each,) for each in people]
    (row,) = await notifier.rows("SELECT attempts, duplicate_possible FROM delivery")
    assert tuple(row) == (5, False)


@pytest.mark.parametrize(("code", "state"), [(451, "sent"), (554, "dead")])
async def test_content_put_off_is_repeated_and_content_refused_is_dead(
    notifier: Notifier, code: int, state: str
) -> None:
    notifier.mailbox.refuse_content(code)
    await notifier.mail()
    async with notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states(state)


async def test_a_lost_answer_repeats_a_first_notice_under_the_same_message_id(
    notifier: Notifier,
) -> None:
    notifier.mailbox.lose_answer()
    await notifier.mail()
    async with notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("sent")
        notifier.mailbox.lose_answer()
        await notifier.tell(stock_alert(7, revision=2, event="resolved"))
        await notifier.until_states("sent", "suppressed")
    opened, again, _ = notifier.mailbox.mails
    assert again.message["Subject"] == "[Possible duplicate] " + str(opened.message["Subject"])
    assert again.message["Message-ID"] == opened.message["Message-ID"]


async def test_a_server_that_is_away_is_tried_until_it_is_back(notifier: Notifier) -> None:
    mailbox = Mailbox()
    async with mailbox.serving() as port:
        pass
    await notifier.mail(port=port)
    async with notifier.sending():
        await notifier.tell(stock_alert(7))
        await notifier.until_states("failed")
        async with mailbox.serving(port):
            await notifier.until_states("sent")
    assert len(mailbox.mails) == 1


def certificate(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Return the contexts of a server with its own certificate, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mailbox")])
    start = datetime(2020, 1, 1, tzinfo=UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=36_500))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = signed.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (folder / "server.pem").write_bytes(pem + private)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "server.pem")
    return server, ssl.create_default_context(cadata=pem.decode())


@pytest.mark.parametrize("part", [{"tls": "starttls"}, {"starttls": True}, {"tls": "implicit"}])
async def test_a_server_with_tls_and_a_password_gets_both(
    notifier: Notifier, tmp_path: Path, part: dict[str, Any]
) -> None:
    server, client = certificate(tmp_path)
    implicit = part.get("tls") == "implicit"
    mailbox = Mailbox(username="lowtide", password=PASSWORD, tls=server, implicit=implicit)
    async with mailbox.serving() as port:
        await notifier.mail(port=port, username="lowtide", password=PASSWORD, **part)
        async with notifier.sending(tls=client):
            await notifier.tell(stock_alert(7))
            await notifier.until_states("sent")
    assert len(mailbox.mails) == 1


async def test_a_password_goes_in_clear_to_this_machine_alone(notifier: Notifier) -> None:
    signed_in: dict[str, Any] = {"username": "lowtide", "password": PASSWORD}
    for host in ("127.0.0.1", "localhost", "::1"):
        await notifier.mail(host=host, **signed_in)
    await notifier.mail(host="mail.example.com")
    await notifier.mail(host="mail.example.com", tls="implicit", **signed_in)
    part = {"to": BOTH, "from": BOTH[0], "host": "mail.example.com", "port": notifier.mailbox_port}
    for given in (signed_in, {"username": "lowtide"}):  # the stored one goes there as little
        body = {"kind": "email", "name": "x", "language": "en", "email": part | given}
        answer = await notifier.client.put("/v1/destinations/post", json=body)
        assert answer.status_code == 422
        assert [each["field"] for each in answer.json()["errors"]] == ["email.tls"]


async def test_a_wrong_password_is_dead_at_once_and_not_repeated_to_anybody(
    notifier: Notifier, capsys: pytest.CaptureFixture[str]
) -> None:
    mailbox = Mailbox(username="lowtide", password="another")
    async with mailbox.serving() as port:
        await notifier.mail(port=port, username="lowtide", password=PASSWORD)
        async with notifier.sending():
            await notifier.tell(stock_alert(7))
            await notifier.until_states("dead")
    (row,) = await notifier.rows("SELECT reason FROM delivery")
    assert row["reason"] == "refused: 535 signing in failed"
    assert PASSWORD not in capsys.readouterr().out


async def test_a_flood_of_mail_becomes_a_digest_too(notifier: Notifier) -> None:
    await notifier.mail()
    await notifier.tell(*(stock_alert(number) for number in range(1, 101)))
    async with notifier.sending():
        await notifier.until_settled()
    assert [str(mail.message["Subject"]) for mail in notifier.mailbox.mails][-1] == (
        "Summary of 74 stock notices"
    )
    assert len(notifier.mailbox.mails) == 27


async def test_what_somebody_has_already_is_put_into_no_digest(notifier: Notifier) -> None:
    clock = ManualClock(WallClock().now())
    notifier.mailbox.refuse("boss@example.com", 452, times=1)
    await notifier.mail(to=BOTH)
    async with notifier.sending(clock=clock):
        await notifier.tell(stock_alert(1, level="watch"))
        await notifier.until_states("failed")
    await notifier.tell(*(stock_alert(number) for number in range(2, 62)))
    clock.advance(timedelta(seconds=5))
    async with notifier.sending(clock=clock):
        await notifier.until_settled()
    assert await notifier.states(alert_number=1) == ["sent"]
    assert await notifier.states(kind="digest") == ["sent"]
    *_, last = (mail.recipients for mail in notifier.mailbox.mails if "#1 " in mail.text)
    assert last == BOTH[1:]
