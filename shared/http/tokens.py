"""Mint local tokens: `python -m shared.http.tokens mint --key KEY --scope stock:read`.

`python -m shared.http.tokens keys --key KEY --jwks JWKS` makes a signing key and its public
set; both commands leave what already exists alone.
"""

import argparse
import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from shared.clock import WallClock
from shared.http.auth import AUDIENCE, Scope

KEY_ID = "local"


def ensure_keys(key_file: Path, jwks_file: Path) -> None:
    """Make a signing key (mode 0600) unless it exists, and add its public half to a JWKS.

    Keys of other ids that the set holds stay; whoever reads it meanwhile finds it whole.
    """
    if not key_file.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        key_file.parent.mkdir(parents=True, exist_ok=True)
        key_file.touch(mode=0o600)
        key_file.write_bytes(pem)
    public = _load(key_file).public_key()
    jwk = json.loads(OKPAlgorithm.to_jwk(public)) | {"kid": KEY_ID, "use": "sig", "alg": "EdDSA"}
    known = _public_keys(jwks_file)
    if jwk in known:
        return
    others = [each for each in known if each.get("kid") != KEY_ID]
    draft = jwks_file.with_name(f"{jwks_file.name}.{os.getpid()}")
    draft.write_text(json.dumps({"keys": [*others, jwk]}))
    draft.replace(jwks_file)


def mint(
    key_file: Path,
    *,
    subject: str,
    scopes: list[Scope],
    now: datetime,
    lifetime: timedelta,
    channel: str | None = None,
) -> str:
    """Return a signed token; `channel` limits it to writing as that channel."""
    claims: dict[str, object] = {
        "sub": subject,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + lifetime,
        "scope": " ".join(scopes),
    }
    if channel is not None:
        claims["channel"] = channel
    return jwt.encode(claims, _load(key_file), algorithm="EdDSA", headers={"kid": KEY_ID})


def _public_keys(jwks_file: Path) -> list[dict[str, object]]:
    if not jwks_file.exists():
        return []
    try:
        keys: list[dict[str, object]] = json.loads(jwks_file.read_text())["keys"]
    except (ValueError, LookupError, TypeError) as error:
        raise ValueError(f"{jwks_file} is no key set; delete it and make a new one") from error
    return keys


def _load(key_file: Path) -> Ed25519PrivateKey:
    key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{key_file} holds no Ed25519 key; delete it and make a new one")
    return key


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m shared.http.tokens", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    keys = commands.add_parser("keys", help="make a signing key and its public set")
    keys.add_argument("--key", type=Path, required=True)
    keys.add_argument("--jwks", type=Path, required=True)
    minting = commands.add_parser("mint", help="print a token")
    minting.add_argument("--key", type=Path, required=True)
    minting.add_argument("--subject", default="local")
    minting.add_argument(
        "--scope",
        action="append",
        type=Scope,
        required=True,
        metavar="SCOPE",
        help=f"may be repeated: {', '.join(Scope)}",
    )
    minting.add_argument("--channel", help="limit the token to writing as this channel")
    minting.add_argument("--hours", type=float, default=12)
    return parser


def main() -> None:
    """Run the command line."""
    arguments = _parser().parse_args()
    if arguments.command == "keys":
        ensure_keys(arguments.key, arguments.jwks)
        return
    print(  # noqa: T201 - the token is the command's output
        mint(
            arguments.key,
            subject=arguments.subject,
            scopes=arguments.scope,
            now=WallClock().now(),
            lifetime=timedelta(hours=arguments.hours),
            channel=arguments.channel,
        )
    )


if __name__ == "__main__":
    main()
