"""What one service seals another opens, and nobody else."""

import pytest
from pydantic import SecretStr

from shared.sealing import LinkSeal, Sealed

LINK = "https://suppliers.example/supplier/order?token=abc.def"


def test_a_link_is_opened_under_any_of_the_keys_and_no_other() -> None:
    sealed = LinkSeal(SecretStr("new, old")).seal(LINK)
    assert LinkSeal(SecretStr("new")).open(sealed) == LINK
    assert LinkSeal(SecretStr("newer,new")).open(sealed) == LINK
    for keys in ("old", "another"):
        with pytest.raises(Sealed, match="LOWTIDE_SECRET_KEY"):
            LinkSeal(SecretStr(keys)).open(sealed)


def test_what_is_sealed_says_nothing_of_the_link() -> None:
    sealed = LinkSeal(SecretStr("key")).seal(LINK)
    assert "abc" not in sealed
    assert sealed != LinkSeal(SecretStr("key")).seal(LINK)
