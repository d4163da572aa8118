"""What suppliers read in the mail of an order, and buyers when it could not be delivered."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.notifier.domain.destinations import Language


@dataclass(frozen=True, slots=True)
class OrderWords:
    """Everything about orders that is not data; `{}` takes what belongs in between."""

    title: str
    """The order's reference."""
    sheet_and_link: str
    """The number of lines."""
    sheet_alone: str
    reference: str
    placed: str
    lines: str
    until: str
    """When the link lapses."""
    confirm: str
    failed: str
    """The order's reference."""
    failed_body: str
    """Reference, supplier, address, and what the server said."""
    failed_advice: str
    to_order: str


_CHINESE = OrderWords(
    title="采购订单 {}",
    sheet_and_link=(
        "您好，附件是采购订单，共 {} 行。请打开下面的链接，逐行确认数量和到货日期，不需要登录。"
    ),
    sheet_alone="您好，附件是采购订单，共 {} 行。请确认数量和到货日期。",
    reference="订单号",
    placed="下单时间",
    lines="行数",
    until="链接有效期至",
    confirm="查看并确认订单",
    failed="订单 {} 没有送到供应商",
    failed_body="订单 {} 发给 {}（{}）的邮件没有送达：{}",
    failed_advice="请核对供应商的邮箱后重新发送，或者把表格和链接用其他方式发给对方。",
    to_order="打开订单",
)

_ENGLISH = OrderWords(
    title="Purchase order {}",
    sheet_and_link=(
        "The purchase order is attached, {} lines. Please open the link below and confirm quantity "
        "and date of each line; you need not sign in."
    ),
    sheet_alone=(
        "The purchase order is attached, {} lines. Please confirm quantities and dates of arrival."
    ),
    reference="Order",
    placed="Placed",
    lines="Lines",
    until="The link works until",
    confirm="See and confirm the order",
    failed="Order {} did not reach its supplier",
    failed_body="The mail of order {} to {} ({}) was not delivered: {}",
    failed_advice=(
        "Check the supplier's address and send it again, or send sheet and link in another way."
    ),
    to_order="Open the order",
)

ORDER_WORDS: Mapping[Language, OrderWords] = {
    Language.CHINESE: _CHINESE,
    Language.ENGLISH: _ENGLISH,
}
