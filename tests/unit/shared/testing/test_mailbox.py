from collections.abc import AsyncIterator
from email.message import EmailMessage

import aiosmtplib
import pytest
import pytest_asyncio

from shared.testing.mailbox import Mailbox


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest_asyncio.fixture
async def client(mailbox: Mailbox) -> AsyncIterator[aiosmtplib.SMTP]:
    async with mailbox.serving() as port:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, timeout=1, start_tls=False)
        await client.connect()
        yield client
        client.close()


def letter() -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = "断货 #12"
    message["From"] = "lowtide@example.com"
    message["To"] = "buyer@example.com"
    message.set_content("可用：0\n")
    message.add_alternative("<b>可用：0</b>", subtype="html")
    return message


BOTH = ["buyer@example.com", "boss@example.com"]


async def send(client: aiosmtplib.SMTP, to: list[str]) -> dict[str, int]:
    refused, _ = await client.sendmail("lowtide@example.com", to, letter().as_bytes())
    return {address: response.code for address, response in refused.items()}


async def test_a_message_arrives_whole(mailbox: Mailbox, client: aiosmtplib.SMTP) -> None:
    assert await send(client, BOTH) == {}
    (mail,) = mailbox.mails
    assert mail.recipients == tuple(BOTH)
    assert mail.message["Subject"] == "断货 #12"
    assert mail.text == "可用：0\n"
    assert "<b>可用：0</b>" in mail.html


async def test_recipients_are_refused_one_by_one(mailbox: Mailbox, client: aiosmtplib.SMTP) -> None:
    mailbox.refuse("boss@example.com", 451, times=1)
    assert await send(client, BOTH) == {"boss@example.com": 451}
    assert mailbox.mails[0].recipients == ("buyer@example.com",)
    assert await send(client, ["boss@example.com"]) == {}


async def test_content_is_refused_as_ordered(mailbox: Mailbox, client: aiosmtplib.SMTP) -> None:
    mailbox.refuse_content(554)
    with pytest.raises(aiosmtplib.SMTPDataError):
        await send(client, BOTH)
    assert mailbox.mails == []


async def test_a_lost_answer_leaves_the_message_in_the_mailbox(
    mailbox: Mailbox, client: aiosmtplib.SMTP
) -> None:
    mailbox.lose_answer()
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(client, BOTH)
    assert [mail.answer_lost for mail in mailbox.mails] == [True]


async def test_a_dropped_message_is_not_in_the_mailbox(
    mailbox: Mailbox, client: aiosmtplib.SMTP
) -> None:
    mailbox.drop()
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send(client, BOTH)
    assert mailbox.mails == []


async def test_a_hanging_server_accepts_nothing(mailbox: Mailbox) -> None:
    mailbox.hang()
    async with mailbox.serving() as port:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, timeout=0.2, start_tls=False)
        await client.connect()
        with pytest.raises(aiosmtplib.SMTPReadTimeoutError):
            await send(client, BOTH)
        client.close()
    assert mailbox.mails == []


async def test_a_mailbox_with_a_password_wants_it() -> None:
    mailbox = Mailbox(username="lowtide", password="tide")
    async with mailbox.serving() as port:
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, timeout=1, start_tls=False)
        await client.connect()
        with pytest.raises(aiosmtplib.SMTPSenderRefused):
            await send(client, BOTH)
        with pytest.raises(aiosmtplib.SMTPAuthenticationError):
            await client.login("lowtide", "guess")
        await client.login("lowtide", "tide")
        assert await send(client, BOTH) == {}
        client.close()
