import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typing_extensions import override

from shared.clock import ManualClock, WallClock
from shared.errors import Unavailable
from shared.http.auth import AUDIENCE, Caller, Keys, Scope, Verifier
from shared.http.problems import Problem
from shared.http.tokens import KEY_ID, ensure_keys, mint

HOUR = timedelta(hours=1)
NOW = WallClock().now()


@pytest.fixture
def verifier(key: Path) -> Verifier:
    return Verifier(Keys(file=key.parent / "jwks.json"), WallClock())


def token(key: Path, *, now: datetime = NOW, lifetime: timedelta = HOUR, **fields: object) -> str:
    channel = fields.get("channel")
    return mint(
        key,
        subject="shop",
        scopes=[Scope.STOCK_READ, Scope.EVENTS_WRITE],
        now=now,
        lifetime=lifetime,
        channel=None if channel is None else str(channel),
    )


def signed(key: Path, **claims: object) -> str:
    private = ensure_private(key)
    given: dict[str, object] = {"sub": "shop", "aud": AUDIENCE, "exp": NOW + HOUR, "scope": ""}
    kept = {name: value for name, value in (given | claims).items() if value is not None}
    return jwt.encode(kept, private, algorithm="EdDSA", headers={"kid": KEY_ID})


def ensure_private(key: Path) -> str:
    return key.read_text(encoding="ascii")


async def test_a_good_token_says_who_calls_and_what_they_may(key: Path, verifier: Verifier) -> None:
    caller = await verifier.caller(token(key, channel="web"))
    assert (caller.subject, caller.channel) == ("shop", "web")
    assert caller.may(Scope.STOCK_READ)
    assert not caller.may(Scope.CONFIG_WRITE)


def test_admin_may_everything() -> None:
    admin = Caller("root", frozenset({"admin"}), expires_at=0)
    assert all(admin.may(scope) for scope in Scope)


async def refused(verifier: Verifier, given: str) -> Problem:
    with pytest.raises(Problem) as caught:
        await verifier.caller(given)
    assert caught.value.status is HTTPStatus.UNAUTHORIZED
    assert caught.value.headers == {"WWW-Authenticate": "Bearer"}
    return caught.value


async def test_an_expired_token_is_refused_and_says_so(key: Path, verifier: Verifier) -> None:
    problem = await refused(verifier, token(key, now=NOW - 2 * HOUR))
    assert problem.detail == "The token has expired; get a new one."


def _foreign(key: Path) -> str:
    return jwt.encode(
        {"sub": "x", "aud": AUDIENCE, "exp": NOW + HOUR},
        Ed25519PrivateKey.generate(),
        algorithm="EdDSA",
        headers={"kid": KEY_ID},
    )


def _public_key_as_secret(key: Path) -> str:
    (jwk,) = json.loads((key.parent / "jwks.json").read_text(encoding="ascii"))["keys"]
    public = str(jwk["x"])
    claims = {"sub": "x", "aud": AUDIENCE, "exp": NOW + HOUR}
    return jwt.encode(claims, public, algorithm="HS256", headers={"kid": KEY_ID})


def _unsigned(key: Path) -> str:
    claims = {"sub": "x", "aud": AUDIENCE, "exp": NOW + HOUR}
    return jwt.encode(claims, "", algorithm="none", headers={"kid": KEY_ID})


def _unknown_key(key: Path) -> str:
    return jwt.encode(
        {"sub": "x", "aud": AUDIENCE, "exp": NOW + HOUR},
        ensure_private(key),
        algorithm="EdDSA",
        headers={"kid": "another"},
    )


def _changed(key: Path) -> str:
    head, body, signature = token(key).split(".")
    return ".".join((head, body[:-4] + "AAAA", signature))


BAD: dict[str, tuple[Callable[[Path], str], str]] = {
    "foreign key": (_foreign, "signature"),
    "the public key as a secret": (_public_key_as_secret, "EdDSA"),
    "unsigned": (_unsigned, "EdDSA"),
    "unknown key": (_unknown_key, "not trusted here"),
    "changed": (_changed, "signature"),
    "wrong audience": (lambda key: signed(key, aud="elsewhere"), "get one for lowtide"),
    "no audience": (lambda key: signed(key, aud=None), "lacks the claim aud"),
    "no expiry": (lambda key: signed(key, exp=None), "lacks the claim exp"),
    "no subject": (lambda key: signed(key, sub=None), "lacks the claim sub"),
    "a number as a subject": (lambda key: signed(key, sub=5), "Subject"),
    "not yet": (lambda key: signed(key, nbf=NOW + HOUR), "nbf"),
    "expiry in words": (lambda key: signed(key, exp="soon"), "(exp)"),
    "no token": (lambda _: "", "cannot be read"),
    "no token at all": (lambda _: "a.b.c", "cannot be read"),
    "odd characters": (lambda _: "\ud7ff.é.\x00", "cannot be read"),
}


@pytest.mark.parametrize(("make", "fault"), BAD.values(), ids=BAD)
async def test_a_bad_token_is_refused_and_told_why(
    key: Path, verifier: Verifier, make: Callable[[Path], str], fault: str
) -> None:
    problem = await refused(verifier, make(key))
    assert problem.code == "unauthorised"
    assert fault in problem.detail


async def test_clocks_may_be_half_a_minute_apart(key: Path, verifier: Verifier) -> None:
    now = WallClock().now()
    ahead = signed(key, iat=now + timedelta(seconds=20))
    assert (await verifier.caller(ahead)).subject == "shop"
    expired = signed(key, exp=now - timedelta(seconds=15))
    assert await verifier.caller(expired) is await verifier.caller(expired)
    await refused(verifier, signed(key, exp=now - timedelta(seconds=31)))


async def test_a_verified_token_is_remembered_until_it_expires(key: Path) -> None:
    clock = ManualClock(NOW)
    verifier = Verifier(Keys(file=key.parent / "jwks.json"), clock)
    given = token(key)
    known = await verifier.caller(given)
    assert await verifier.caller(given) is known
    clock.advance(HOUR + timedelta(seconds=29))
    assert await verifier.caller(given) is known
    clock.advance(timedelta(seconds=2))
    assert await verifier.caller(given) is not known


async def test_the_oldest_of_too_many_tokens_is_forgotten(key: Path, verifier: Verifier) -> None:
    first = token(key, channel="0")
    known = await verifier.caller(first)
    for number in range(4_096):
        verifier._verified[str(number).encode()] = known
    await verifier.caller(token(key, channel="1"))
    assert len(verifier._verified) <= 4_097
    assert await verifier.caller(first) is not known


async def test_keys_are_read_again_for_an_unknown_one_at_most_once_a_minute(key: Path) -> None:
    file = key.parent / "jwks.json"
    good = file.read_text(encoding="ascii")
    file.write_text(json.dumps({"keys": [json.loads(good)["keys"][0] | {"kid": "old"}]}))
    keys = Keys(file=file)
    assert await keys.find(KEY_ID, now=0) is None
    file.write_text(good)
    assert await keys.find(KEY_ID, now=59) is None
    found = await keys.find(KEY_ID, now=60)
    assert found is not None
    assert found.key_id == KEY_ID


UNREADABLE = {
    "missing": None,
    "half written": '{"keys": [{"kty"',
    "without keys": '{"keys": []}',
    "a list": "[]",
    "an id that is none": '{"keys": [{"kid": [], "kty": "oct", "k": "a2V5"}]}',
    "no text": b"\xff".decode("latin-1"),
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
async def test_a_key_set_that_cannot_be_read_is_unavailable_until_it_can_be(
    key: Path, content: str | None
) -> None:
    file = key.parent / "jwks.json"
    good = file.read_text(encoding="ascii")
    if content is None:
        file.unlink()
    else:
        file.write_text(content, encoding="latin-1")
    clock = ManualClock(NOW)
    verifier = Verifier(Keys(file=file), clock)
    with pytest.raises(Unavailable, match="the key set"):
        await verifier.caller(token(key))
    assert await verifier.check() == "the key set cannot be read"
    file.write_text(good, encoding="ascii")
    with pytest.raises(Unavailable, match="the key set"):
        await verifier.caller(token(key))
    clock.advance(timedelta(seconds=5))
    assert (await verifier.caller(token(key))).subject == "shop"
    assert await verifier.check() is None


class _Remote(Keys):
    """Keys whose set is fetched from afar, and may be away."""

    def __init__(self, keys: list[object]) -> None:
        super().__init__(url="https://example.org/jwks.json")
        self.keys = keys
        self.is_away = False
        self.fetches = 0

    @override
    async def _read(self) -> dict[str, object]:
        self.fetches += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise httpx.ReadTimeout("silent")
        return {"keys": self.keys}


def public_keys(key: Path) -> list[object]:
    found: list[object] = json.loads((key.parent / "jwks.json").read_text(encoding="ascii"))["keys"]
    return found


async def test_a_key_set_that_is_away_is_asked_for_by_one_caller_at_a_time(key: Path) -> None:
    keys = _Remote(public_keys(key))
    assert await keys.find(KEY_ID, now=0) is not None
    keys.is_away = True
    asked = await asyncio.gather(
        *(keys.find("another", now=60) for _ in range(20)), return_exceptions=True
    )
    assert keys.fetches == 2
    assert all(isinstance(each, Unavailable) for each in asked)
    # What is known stays so meanwhile.
    assert await keys.find(KEY_ID, now=60) is not None
    assert await keys.check(now=60) is None
    keys.is_away = False
    assert await keys.find("another", now=65) is None
    assert keys.fetches == 3


async def test_a_key_that_was_withdrawn_is_trusted_no_longer(key: Path) -> None:
    (known,) = public_keys(key)
    assert isinstance(known, dict)
    keys, clock = _Remote([known]), ManualClock(NOW)
    verifier = Verifier(keys, clock)
    given = token(key)
    caller = await verifier.caller(given)
    clock.advance(timedelta(minutes=5))
    await keys.refresh(clock.now().timestamp())
    assert await verifier.caller(given) is caller  # nothing has changed
    keys.keys, keys.is_away = [known | {"kid": "new"}], True
    clock.advance(timedelta(minutes=5))
    assert await keys.refresh(clock.now().timestamp()) == 5
    assert await verifier.caller(given) is caller  # whether anything has is not known
    keys.is_away = False
    clock.advance(timedelta(seconds=5))
    assert await keys.refresh(clock.now().timestamp()) == 300
    problem = await refused(verifier, given)
    assert "not trusted here" in problem.detail


async def test_without_any_keys_nothing_is_let_in() -> None:
    with pytest.raises(Unavailable, match="LOWTIDE_JWKS_FILE"):
        await Keys().find("any", now=0)


async def test_a_key_set_that_cannot_be_fetched_is_unavailable() -> None:
    keys = Keys(url="http://127.0.0.1:1/jwks.json")
    with pytest.raises(Unavailable, match="the key set"):
        await keys.find("any", now=0)


def test_the_signing_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    file, jwks = tmp_path / "new" / "key.pem", tmp_path / "jwks.json"
    ensure_keys(file, jwks)
    made = file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert "d" not in json.loads(jwks.read_text(encoding="ascii"))["keys"][0]
    ensure_keys(file, jwks)
    assert file.read_bytes() == made


def test_a_key_is_added_to_the_set_and_what_is_there_is_left_alone(tmp_path: Path) -> None:
    first, second, jwks = tmp_path / "1.pem", tmp_path / "2.pem", tmp_path / "jwks.json"
    ensure_keys(first, jwks)
    (known,) = json.loads(jwks.read_text(encoding="ascii"))["keys"]
    other = known | {"kid": "another"}
    jwks.write_text(json.dumps({"keys": [other, known]}, indent=2), encoding="ascii")
    before = jwks.stat()
    ensure_keys(first, jwks)
    after = jwks.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    ensure_keys(second, jwks)
    kept, new = json.loads(jwks.read_text(encoding="ascii"))["keys"]
    assert kept == other
    assert (new["kid"], new["x"] == known["x"]) == (KEY_ID, False)
    assert jwks.stat().st_ino != before.st_ino, "it was written where others read it"
    assert sorted(tmp_path.iterdir()) == [first, second, jwks]


def test_a_set_that_is_none_is_said_to_be(tmp_path: Path) -> None:
    (tmp_path / "jwks.json").write_text("[]", encoding="ascii")
    with pytest.raises(ValueError, match="is no key set; delete it"):
        ensure_keys(tmp_path / "key.pem", tmp_path / "jwks.json")


def test_times_in_a_token_are_in_utc(key: Path) -> None:
    claims = jwt.decode(token(key), options={"verify_signature": False})
    expires = datetime.fromtimestamp(claims["exp"], UTC)
    assert abs(expires - (NOW + HOUR)) <= timedelta(seconds=1)
