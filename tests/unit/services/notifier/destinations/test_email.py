"""When an attempt to send a mail ends that the server would let go on for ever."""

import asyncio
import socket
import ssl
from datetime import timedelta
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from services.notifier.destinations import email
from services.notifier.destinations.email import EmailTransport
from services.notifier.destinations.exchange import REPEAT_AFTER_HANG
from services.notifier.destinations.kinds import Renderer
from services.notifier.destinations.links import Links
from services.notifier.destinations.transport import Message
from services.notifier.domain.addresses import Email
from services.notifier.domain.deliveries import Recipients
from services.notifier.domain.destinations import Language
from services.notifier.domain.outcomes import Outcome, Verdict
from services.notifier.store.secrets import Vault
from shared.testing.mailbox import Mailbox
from tests.unit.services.notifier.destinations.deliveries import NOW, TEST, destination

WHO = "buyer@example.com"
WELL_UNDER_ONE_ANSWER_SECONDS = 8
LINKS = Links(Vault(SecretStr(Fernet.generate_key().decode())), None)


async def sent(port: int, *, personal: bool = False) -> Outcome:
    """Make one attempt; one that waits for each answer's own time fails."""
    address = Email((WHO,), "lowtide@example.com", "127.0.0.1", port, personal=personal)
    rendered = Renderer("http://console.example/").render(
        TEST, destination(Language.ENGLISH, address), NOW
    )
    transport = EmailTransport(address, ssl.create_default_context(), LINKS)
    async with asyncio.timeout(WELL_UNDER_ONE_ANSWER_SECONDS):
        return await transport.send(Message(UUID(int=7), rendered, NOW))


@pytest.mark.parametrize("personal", [False, True])
async def test_a_server_that_says_nothing_of_the_content_leaves_it_in_doubt(
    monkeypatch: pytest.MonkeyPatch, *, personal: bool
) -> None:
    monkeypatch.setattr(email, "_ALL_SECONDS", 3)
    monkeypatch.setattr(email, "_CONTENT_SECONDS", 0)
    mailbox = Mailbox()
    mailbox.hang()
    async with mailbox.serving() as port:
        outcome = await sent(port, personal=personal)
    assert mailbox.hung == 1
    assert (outcome.verdict, outcome.retry_after) == (Verdict.UNKNOWN, REPEAT_AFTER_HANG)
    assert outcome.recipients == Recipients(left=(), in_doubt=(WHO,))


async def test_a_server_that_says_nothing_at_all_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(email, "_ALL_SECONDS", 1)
    monkeypatch.setattr(email, "_CONTENT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        outcome = await sent(silent.getsockname()[1])
    assert (outcome.verdict, outcome.lane_wait) == (Verdict.TRANSIENT, timedelta())
