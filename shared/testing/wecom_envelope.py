"""WeCom's envelopes as WeCom itself makes them: written from its page on encryption, for the fake.

It shares nothing with the code that opens them, so that each checks the other.
"""

import base64
import hashlib
import secrets
import struct
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC


@dataclass(frozen=True, slots=True)
class Envelope:
    """What WeCom sends: the cipher text, and the query that proves whose it is."""

    encrypted: str
    query: dict[str, str]

    @property
    def body(self) -> bytes:
        """The XML that is posted."""
        return (
            "<xml><ToUserName><![CDATA[corp]]></ToUserName>"
            f"<Encrypt><![CDATA[{self.encrypted}]]></Encrypt><AgentID>1</AgentID></xml>"
        ).encode()


def seal(
    message: bytes, *, token: str, encoding_aes_key: str, receive_id: str, timestamp: int
) -> Envelope:
    """Return a message sealed for one receiver."""
    key = base64.b64decode(encoding_aes_key + "=")
    head = secrets.token_bytes(16) + struct.pack(">I", len(message))
    content = head + message + receive_id.encode()
    fill = 32 - len(content) % 32
    encryptor = Cipher(AES256(key), CBC(key[:16])).encryptor()
    sealed = encryptor.update(content + fill * bytes([fill])) + encryptor.finalize()
    encrypted = base64.b64encode(sealed).decode()
    nonce = str(secrets.randbelow(10**10))
    return Envelope(encrypted, signed(token, str(timestamp), nonce, encrypted))


def signed(token: str, timestamp: str, nonce: str, encrypted: str) -> dict[str, str]:
    """Return the query that goes with a cipher text."""
    digest = hashlib.sha1(usedforsecurity=False)
    for part in sorted([encrypted, nonce, timestamp, token]):
        digest.update(part.encode())
    return {"msg_signature": digest.hexdigest(), "timestamp": timestamp, "nonce": nonce}
