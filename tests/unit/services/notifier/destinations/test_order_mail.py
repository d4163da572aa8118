"""The mail of an order: in the supplier's language, with the sheet and a place for its link."""

from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from pydantic import SecretStr

from services.notifier.destinations import kinds
from services.notifier.destinations.kinds import Renderer
from services.notifier.destinations.order_views import LINK_PLACE, sealed_link
from services.notifier.domain.addresses import DestinationKind, Email, WecomBot
from services.notifier.domain.contents import FailureNote, failed_order
from services.notifier.domain.deliveries import Delivery, Kind
from services.notifier.domain.destinations import Language
from shared.events.alert_reports import AlertReport, PurchaseOrder
from tests.unit.services.notifier.destinations.deliveries import NOW, delivery, destination

SAMPLE = Path("tests/contract/samples/alert.reports/v1/purchase_order.json")
OFFICE = Email(to=("office@shop.example",), sender="Shop <shop@shop.example>", host="h", port=25)


def report(**fields: object) -> AlertReport:
    found = AlertReport.model_validate_json(SAMPLE.read_text(encoding="utf-8"))
    assert found.order is not None
    return found.model_copy(update={"order": found.order.model_copy(update=fields)})


def order(**fields: object) -> PurchaseOrder:
    found = report(**fields).order
    assert found is not None
    return found


def written(made: Delivery) -> EmailMessage:
    renderer = Renderer("http://console.example")
    rendered = renderer.render(made, destination(Language.ENGLISH, OFFICE), NOW)
    mail = message_from_bytes(rendered, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def text(mail: EmailMessage, subtype: str = "plain") -> str:
    part = mail.get_body((subtype,))
    assert part is not None
    return str(part.get_content())


def test_it_is_in_the_suppliers_language_and_on_its_clock_whatever_the_destinations_are() -> None:
    mail = written(delivery(report(), Kind.ORDER))
    assert (mail["To"], mail["Subject"]) == ("orders@acme.example", "采购订单 LT-12")
    assert "共 3 行" in text(mail)
    assert "下单时间：2026-03-02 16:00 (Asia/Shanghai)" in text(mail)
    english = written(delivery(report(language="en", timezone="Europe/London"), Kind.ORDER))
    assert english["Subject"] == "Purchase order LT-12"
    assert "Placed: 2026-03-02 08:00 (Europe/London)" in text(english)
    (sheet,) = mail.iter_attachments()
    assert (sheet.get_filename(), sheet.get_content()) == ("LT-12.xlsx", b"PK\x03\x04")


def test_what_is_kept_of_it_has_no_link_but_its_place_and_people_read_no_place() -> None:
    made = delivery(report(), Kind.ORDER)
    mail = written(made)
    sealed = sealed_link(made)
    assert sealed == order().link
    for subtype in ("plain", "html"):
        assert LINK_PLACE in text(mail, subtype)
        assert str(sealed) not in text(mail, subtype)
    assert LINK_PLACE not in kinds.read(DestinationKind.EMAIL, mail.as_bytes()).text


def test_without_a_link_the_sheet_is_what_there_is() -> None:
    mail = written(delivery(report(link=None, link_until=None), Kind.ORDER))
    assert LINK_PLACE not in text(mail)
    assert "链接" not in text(mail)
    assert "请确认数量和到货日期" in text(mail)


def test_an_order_goes_to_no_chat() -> None:
    bot = destination(Language.CHINESE, WecomBot(SecretStr("key"), "https://wecom.example"))
    with pytest.raises(ValueError, match="goes by mail"):
        Renderer("http://console.example").render(delivery(report(), Kind.ORDER), bot, NOW)


def test_buyers_are_told_which_order_did_not_reach_whom_and_why() -> None:
    note = FailureNote(
        destination="office",
        destination_name="Office",
        detail="550 no such mailbox",
        order=failed_order(order()),
    )
    mail = written(delivery(note, Kind.META))
    assert mail["Subject"] == "Order LT-12 did not reach its supplier"
    assert "to 绿源食品 (orders@acme.example) was not delivered: 550 no such mailbox" in text(mail)
    assert f"http://console.example/orders/{order().id}" in text(mail)
    assert str(order().link) not in note.model_dump_json()
