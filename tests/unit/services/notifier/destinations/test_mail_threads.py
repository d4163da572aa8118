"""What mails hang under, as it stands in their bytes: ids as long as real ones, never encoded."""

import hashlib
from dataclasses import replace
from uuid import UUID

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from services.notifier.destinations.kinds import Renderer
from services.notifier.destinations.links import Links
from services.notifier.domain.addresses import Email
from services.notifier.domain.deliveries import Delivery, Kind
from services.notifier.domain.destinations import Language
from services.notifier.store.secrets import Vault
from tests.factories.stock_alerts import stock_alert
from tests.unit.services.notifier.destinations.deliveries import NOW, delivery, destination

DOMAIN = "notifications.warehouse-operations.a-shop-with-a-name.example.com"
ID = "purchasing-of-the-eastern-region"
WHO = "Lin@example.com"
PERSON = hashlib.sha256(WHO.lower().encode()).hexdigest()[:12]
PUBLIC_URL = "https://lowtide.example"
VAULT = Vault(SecretStr(Fernet.generate_key().decode()))
LINKS = Links(VAULT, PUBLIC_URL)

FIRST = delivery(stock_alert(7))
CHANGE = replace(
    delivery(stock_alert(7, revision=2, event="acknowledged"), Kind.CHANGE), id=UUID(int=8)
)


def written(made: Delivery, *, personal: bool) -> bytes:
    address = Email((WHO,), f"Lowtide <lowtide@{DOMAIN}>", "h", 25, personal=personal)
    to = replace(destination(Language.ENGLISH, address), id=ID)
    mail = Renderer("http://console.example", PUBLIC_URL).render(made, to, NOW)
    if not personal:
        return mail
    return LINKS.personal(mail, made.id, WHO, NOW)


def header(mail: bytes, name: str) -> bytes:
    """Return a header as it stands there, but for where its lines are folded."""
    head = mail.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ")
    (found,) = (line for line in head.split(b"\r\n") if line.startswith(name.encode() + b":"))
    return b" ".join(found.split())


@pytest.mark.parametrize("personal", [False, True])
def test_what_follows_names_the_first_notice_by_the_id_that_it_left_with(*, personal: bool) -> None:
    mark = f".{PERSON}" if personal else ""
    root = f"<{FIRST.alert_id}.{ID}{mark}@{DOMAIN}>"
    first = written(FIRST, personal=personal)
    assert header(first, "Message-ID") == f"Message-ID: {root}".encode()
    change = written(CHANGE, personal=personal)
    own = f"<{CHANGE.id}{mark}@{DOMAIN}>"
    assert header(change, "Message-ID") == f"Message-ID: {own}".encode()
    assert header(change, "References") == f"References: {root}".encode()
    assert header(change, "In-Reply-To") == f"In-Reply-To: {root}".encode()


def test_putting_a_link_into_a_mail_leaves_its_ids_as_they_are() -> None:
    mail = written(CHANGE, personal=False)
    linked = LINKS.with_link(mail, VAULT.links.seal("https://supplier.example"))
    for name in ("Message-ID", "References", "In-Reply-To"):
        assert header(linked, name) == header(mail, name)
        assert header(linked, name).startswith(f"{name}: <".encode())
