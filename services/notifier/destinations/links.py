"""Links to act by in personal mails: written without a signature, signed at the attempt.

What is stored of a mail lets nobody act: it has a place for each link, which is filled in for the
one person that the mail goes to.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from uuid import UUID

from services.notifier.destinations.mail_headers import POLICY
from services.notifier.destinations.order_views import LINK_PLACE
from services.notifier.destinations.response_words import RESPONSE_WORDS
from services.notifier.destinations.views import Line
from services.notifier.domain.deliveries import NOTICES, Delivery
from services.notifier.domain.destinations import Language
from services.notifier.domain.links import LASTS, Link, acts_by_mail
from services.notifier.store.secrets import Vault
from shared.events.alert_responses import ResponseKind
from shared.events.stock_alerts import StockAlert

PATH = "/respond/"

_IDENTIFYING = ("Message-ID", "In-Reply-To", "References")


def answers(delivery: Delivery, language: Language, public_url: str) -> Sequence[Line]:
    """Return the places of the links of a mail; none where there is nothing to do."""
    if delivery.kind not in NOTICES:
        return ()
    words = RESPONSE_WORDS[language]
    acts = acts_by_mail(StockAlert.model_validate_json(delivery.content))
    return [Line(words.acts[act], "", _place(public_url, act)) for act in acts]


def _place(public_url: str, act: ResponseKind) -> str:
    return f"{public_url.rstrip('/')}{PATH}:{act.value}:"


class Links:
    """Signs links, and reads those that come back; `public_url` is where they lead."""

    def __init__(self, vault: Vault, public_url: str | None) -> None:
        self._vault = vault
        self._public_url = public_url

    def personal(self, mail: bytes, delivery: UUID, who: str, now: datetime) -> bytes:
        """Return a mail as one person gets it: to them alone, with links that are theirs."""
        message = message_from_bytes(mail, _class=EmailMessage, policy=POLICY)
        message.replace_header("To", who)
        # The mails of one delivery differ, and so do their names; replies hang by person.
        person = hashlib.sha256(who.lower().encode()).hexdigest()[:12]
        for name in _IDENTIFYING:
            if name in message:
                message.replace_header(name, str(message[name]).replace("@", f".{person}@"))
        return _filled(message, self._links(delivery, who, now))

    def with_link(self, mail: bytes, sealed: str) -> bytes:
        """Return a mail with the link that it is about. Raises Sealed."""
        message = message_from_bytes(mail, _class=EmailMessage, policy=POLICY)
        return _filled(message, {LINK_PLACE: self._vault.links.open(sealed)})

    def _links(self, delivery: UUID, who: str, now: datetime) -> dict[str, str]:
        """Return a person's links by the places that they belong in."""
        if self._public_url is None:
            return {}
        base = f"{self._public_url.rstrip('/')}{PATH}"
        return {
            _place(self._public_url, act): base + stamp(self._vault, Link(delivery, who, act), now)
            for act in ResponseKind
        }


def _filled(message: EmailMessage, links: Mapping[str, str]) -> bytes:
    for part in message.walk():
        if part.get_content_maintype() == "text":
            text = str(part.get_content())
            for place, link in links.items():
                text = text.replace(place, link)
            part.set_content(text, subtype=part.get_content_subtype())
    return message.as_bytes()


def stamp(vault: Vault, link: Link, now: datetime) -> str:
    """Return a link's token: sealed and dated, so it tells nothing and lapses."""
    content = {"link": str(link.delivery), "who": link.who, "act": link.act.value}
    return vault.stamp(json.dumps(content), now)


def read_stamp(vault: Vault, token: str, now: datetime) -> Link | None:
    """Return what a token stands for; None for one that is not ours, or has lapsed."""
    content = vault.stamped(token, LASTS, now)
    if content is None:
        return None
    try:
        found = json.loads(content)
        return Link(UUID(found["link"]), str(found["who"]), ResponseKind(found["act"]))
    except (ValueError, KeyError, TypeError):  # something else that was sealed under the key
        return None
