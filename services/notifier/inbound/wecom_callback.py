"""WeCom's callbacks: checked by their signature, decrypted, and read.

The signature is the SHA-1 of token, timestamp, nonce and cipher text, sorted and joined. That is
AES-256-CBC under base64(EncodingAESKey + "="), its first 16 bytes the vector, padded to blocks of
32; in it stand 16 random bytes, a length of 4 bytes, the message, and who it is for.
"""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, ParseError

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring
from pydantic import SecretStr

from services.notifier.domain.addresses import WecomApp
from services.notifier.domain.cards import Press
from services.notifier.inbound.proofs import Forged, check_age

_BLOCK = 32
_AES_BLOCK = 16
_RANDOM = 16
_LENGTH = 4


class Mailroom:
    """Opens what is sent to one application."""

    def __init__(self, app: WecomApp) -> None:
        self._token = app.callback_token.get_secret_value()
        self._key = _key_of(app.encoding_aes_key)
        self._receive_id = app.corp_id

    def opened(
        self, signature: str, timestamp: str, nonce: str, encrypted: str, now: datetime
    ) -> bytes:
        """Return the message inside. Raises Forged; what is wrong is nobody's business."""
        expected = hashlib.sha1(  # noqa: S324 - the vendor's choice
            "".join(sorted((self._token, timestamp, nonce, encrypted))).encode()
        ).hexdigest()
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise Forged("the signature is wrong")
        check_age(timestamp, now)
        return self._decrypted(encrypted)

    def _decrypted(self, encrypted: str) -> bytes:
        try:
            text = base64.b64decode(encrypted, validate=True)
        except ValueError:
            raise Forged("the cipher text is no base64") from None
        if not text or len(text) % _AES_BLOCK:
            raise Forged("the cipher text is cut")
        cipher = Cipher(algorithms.AES(self._key), modes.CBC(self._key[:_AES_BLOCK]))
        decryptor = cipher.decryptor()
        padded = decryptor.update(text) + decryptor.finalize()
        padding = padded[-1]
        if not 1 <= padding <= _BLOCK or padded[-padding:] != bytes([padding]) * padding:
            raise Forged("the padding is wrong")
        plain = padded[_RANDOM:-padding]
        length = int.from_bytes(plain[:_LENGTH], "big")
        message, receive_id = plain[_LENGTH : _LENGTH + length], plain[_LENGTH + length :]
        if len(message) != length or not hmac.compare_digest(receive_id, self._receive_id.encode()):
            raise Forged("it is for somebody else")
        return message


def _key_of(encoded: SecretStr) -> bytes:
    return base64.b64decode(encoded.get_secret_value() + "=")


def encrypted_part(body: bytes) -> str:
    """Return the cipher text of a callback's body. Raises Forged for one that is no callback."""
    return _text(_parsed(body), "Encrypt")


def press_in(message: bytes) -> Press | None:
    """Return the press on a card that a message tells of; None where it tells of something else.

    Raises Forged for a message that is no XML.
    """
    event = _parsed(message)
    if event.findtext("Event") != "template_card_event":
        return None
    created, code = event.findtext("CreateTime", ""), event.findtext("ResponseCode")
    who, task = event.findtext("FromUserName", ""), event.findtext("TaskId", "")
    if not (created.isascii() and created.isdigit() and len(created) < 12 and 0 < len(who) <= 64):
        raise Forged("an event without its time or its author")
    return Press(
        who=who,
        at=datetime.fromtimestamp(int(created), UTC),
        task_id=task,
        event_key=event.findtext("EventKey", ""),
        options=tuple(each.text or "" for each in event.iter("OptionId")),
        response_code=code or None,
    )


def _parsed(body: bytes) -> Element:
    try:
        found: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError):  # of unknown encodings
        raise Forged("it is no XML") from None
    return found


def _text(element: Element, name: str) -> str:
    found = element.findtext(name)
    if not found:
        raise Forged(f"it has no {name}")
    return found
