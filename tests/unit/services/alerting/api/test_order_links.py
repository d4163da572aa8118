from datetime import timedelta
from uuid import UUID

import jwt
import pytest
from pydantic import SecretStr

from services.alerting.ordering.links import LIFETIME, Expired, Forged, OrderLinks
from tests.unit.services.alerting.cases import NOON

ORDER = UUID(int=7)
LINKS = OrderLinks(SecretStr("the service's own key"), "https://orders.example/")


def token(links: OrderLinks = LINKS) -> str:
    link = links.link(ORDER, NOON)
    assert link is not None
    start, _, found = link.rpartition("=")
    assert start == "https://orders.example/supplier/order?token"
    return found


def test_a_link_is_for_its_order_until_it_expires() -> None:
    assert LINKS.read(token(), NOON) == ORDER
    assert LINKS.read(token(), NOON + LIFETIME - timedelta(seconds=1)) == ORDER
    with pytest.raises(Expired):
        LINKS.read(token(), NOON + LIFETIME)


def test_a_link_of_another_key_is_forged() -> None:
    with pytest.raises(Forged):
        LINKS.read(token(OrderLinks(SecretStr("another"), "https://orders.example")), NOON)


def test_a_link_outlives_its_key_while_that_stands_behind_the_new_one() -> None:
    earlier = token(OrderLinks(SecretStr("old"), "https://orders.example"))
    links = OrderLinks(SecretStr("new, old"), "https://orders.example")
    assert links.read(earlier, NOON) == ORDER
    with pytest.raises(Expired):
        links.read(earlier, NOON + LIFETIME)
    with pytest.raises(Forged):
        OrderLinks(SecretStr("old"), "https://orders.example").read(token(links), NOON)


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": str(ORDER), "exp": 10**10},
        {"sub": "all", "exp": 10**10, "aud": "lowtide-order"},
        {"sub": str(ORDER), "aud": "lowtide-order"},
        {"sub": str(ORDER), "exp": 10**10, "aud": "lowtide"},
    ],
)
def test_what_is_no_link_is_forged(claims: dict[str, object]) -> None:
    [key] = LINKS._keys
    LINKS.read(jwt.encode({"sub": str(ORDER), "exp": 10**10, "aud": "lowtide-order"}, key), NOON)
    with pytest.raises(Forged):
        LINKS.read(jwt.encode(claims, key), NOON)


def test_an_unsigned_link_is_forged() -> None:
    claims = {"sub": str(ORDER), "exp": 10**10, "aud": "lowtide-order"}
    with pytest.raises(Forged):
        LINKS.read(jwt.encode(claims, "", algorithm="none"), NOON)


def test_without_a_key_there_are_no_links() -> None:
    keyless = OrderLinks(None, "https://orders.example")
    assert keyless.link(ORDER, NOON) is None
    with pytest.raises(Forged):
        keyless.read(token(), NOON)
