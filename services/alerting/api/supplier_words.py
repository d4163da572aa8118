"""What suppliers read on the page of an order: zh-CN and en."""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "zh-CN": {
        "title": "采购订单",
        "placed": "下单时间",
        "intro": "请逐行确认数量和到货日期，然后提交。"
        "无法供货的行，数量填 0。到货之前可以再次修改。",
        "line": "行号",
        "sku": "货号",
        "name": "品名",
        "warehouse": "收货仓库",
        "asked": "订购数量",
        "quantity": "确认数量",
        "due": "到货日期",
        "submit": "确认订单",
        "saved": "已收到您的确认，谢谢。",
        "wrong": "有内容需要修改，订单尚未确认：请查看标出的行。",
        "bad_quantity": "请填写 0 以上的整数。",
        "waits": "超出订购的数量需采购方同意，目前按此数量确认；同意后会另行下单。",
        "bad_due": "请填写日期，例如 2026-03-20。",
        "received": "已收货",
        "cancelled": "已取消",
        "nothing": "这张订单没有可以确认的行了。",
        "opened": "在本页点击、滚动或输入后，采购方会看到订单已被打开。",
        "forged_title": "链接无效",
        "forged": "这个链接不完整或不正确。请完整复制链接，或向采购方索取新的链接。",
        "expired_title": "链接已过期",
        "expired": "请向采购方索取新的链接。",
    },
    "en": {
        "title": "Purchase order",
        "placed": "Placed",
        "intro": "Confirm quantity and date of each line, then send. A line that you cannot "
        "deliver has the quantity 0. Until it has arrived you may change what you said.",
        "line": "Line",
        "sku": "SKU",
        "name": "Name",
        "warehouse": "Deliver to",
        "asked": "Ordered",
        "quantity": "Confirmed",
        "due": "Arrives on",
        "submit": "Confirm the order",
        "saved": "We have your confirmation, thank you.",
        "wrong": "Something has to be changed, and nothing is confirmed yet: see the marked lines.",
        "bad_quantity": "Enter a whole number, 0 or more.",
        "waits": "More than was ordered needs the buyer's approval. This much is confirmed; if "
        "they agree, the rest comes as another order.",
        "bad_due": "Enter a date such as 2026-03-20.",
        "received": "received",
        "cancelled": "cancelled",
        "nothing": "There is no line of this order left to confirm.",
        "opened": "Once you click, scroll or type here, the buyer sees that it was opened.",
        "forged_title": "This link is not valid",
        "forged": "It is incomplete or wrong. Copy it as a whole, or ask the buyer for a new one.",
        "expired_title": "This link has expired",
        "expired": "Ask the buyer for a new one.",
    },
}
