"""What is an e-mail address, and how it is kept."""

from email.message import EmailMessage

import pytest
from pydantic import TypeAdapter, ValidationError

from shared.mail_addresses import MailAddress, MailSender

ADDRESS: TypeAdapter[str] = TypeAdapter(MailAddress)
SENDER: TypeAdapter[str] = TypeAdapter(MailSender)


@pytest.mark.parametrize("written", ["a,b@x.org", "a;b@x.org", "a..b@x.org", "a:b@x.org", "a@x."])
def test_what_is_no_address_is_refused_by_name(written: str) -> None:
    with pytest.raises(ValidationError, match=f"{written} is no e-mail address"):
        ADDRESS.validate_python(written)
    with pytest.raises(ValidationError, match=f"{written} is no e-mail address"):
        SENDER.validate_python(f"Lowtide <{written}>")


def test_an_address_is_kept_as_the_parser_reads_it() -> None:
    for written in ("o'brien+stock@x.org", '"a,b"@x.org', '"a\\"b"@x.org'):
        assert ADDRESS.validate_python(written) == written
    assert ADDRESS.validate_python('"a"@x.org') == "a@x.org"


@pytest.mark.parametrize(
    ("written", "kept", "name"),
    [
        ("a@x.org", "a@x.org", ""),
        ("Low, tide <a@x.org>", '"Low, tide" <a@x.org>', "Low, tide"),
        ('"Low, tide" <a@x.org>', '"Low, tide" <a@x.org>', "Low, tide"),
        ("库存, 华东 <a@x.org>", '"库存, 华东" <a@x.org>', "库存, 华东"),
    ],
)
def test_a_sender_has_one_address_whatever_is_in_its_name(
    written: str, kept: str, name: str
) -> None:
    assert SENDER.validate_python(written) == kept
    message = EmailMessage()
    message["From"] = kept
    (author,) = message["From"].addresses
    assert (author.display_name, author.addr_spec) == (name, "a@x.org")
