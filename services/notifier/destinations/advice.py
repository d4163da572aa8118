"""What a notice advises: by what the rule is about, and of a shortage by how bad it is."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.notifier.domain.destinations import Language
from shared.events.stock_alerts import SHORTAGES, AlertLevel, StockAlert


@dataclass(frozen=True, slots=True)
class _Advice:
    """The advice of a language; `not_bought` is for a shortage of what nobody is to buy."""

    shortage: Mapping[AlertLevel, str]
    not_bought: str
    by_kind: Mapping[str, str]
    other: str
    """Of a rule of which nobody knows what it is about, such as a custom one."""


_ADVICE: Mapping[Language, _Advice] = {
    Language.CHINESE: _Advice(
        shortage={
            AlertLevel.OUT: "立即补货或从其他仓库调拨；到货前停止或下调各渠道的可售数量。",
            AlertLevel.URGENT: "今天下单，或加急在途的采购单。",
            AlertLevel.WATCH: "安排补货，并留意销量。",
        },
        not_bought="已退市或正在退市，不再采购：从其他仓库调拨，或按余量下调各渠道的可售数量。",
        by_kind={
            "overstock": "暂停采购，能取消或推迟的在途先取消或推迟；调拨到销得快的仓库，或做促销。",
            "negative": "先盘点，并查漏记的收货、退货和重复的出库；更正前不要按这个数字行事。",
            "data_doubt": "先查明原因，必要时盘点；核实之前不要按这些数字做决定。",
            "inbound_overdue": "向供应商催货并确认新的到货日期；货已到的，补记收货。",
            "broken_size_run": "从其他仓库调拨或补齐缺货的规格；补不齐的，合并到一处清货。",
        },
        other="打开详情，对照规则的条件和当前库存，再决定怎么处理。",
    ),
    Language.ENGLISH: _Advice(
        shortage={
            AlertLevel.OUT: (
                "Reorder now or transfer from another warehouse; until it arrives, stop selling or "
                "lower what the channels may sell."
            ),
            AlertLevel.URGENT: "Order today, or expedite what is on the way.",
            AlertLevel.WATCH: "Plan the next order and keep an eye on sales.",
        },
        not_bought=(
            "Phased out or ended, so not bought any more: transfer, or lower what the channels may "
            "sell to what is left."
        ),
        by_kind={
            "overstock": (
                "Buy no more for now; cancel or put off what is on the way; transfer it to where "
                "it sells, or promote it."
            ),
            "negative": (
                "Count, and look for receipts and returns not entered or shipments entered twice; "
                "do not act on the number."
            ),
            "data_doubt": (
                "Find out why, and count if need be; until then do not act on these numbers."
            ),
            "inbound_overdue": (
                "Ask the supplier for a new date, or expedite it; if it has arrived, enter the "
                "receipt."
            ),
            "broken_size_run": (
                "Transfer or refill the options that are out; if that cannot be, sell off the rest "
                "in one place."
            ),
        },
        other="Open the details and compare the rule's condition with the stock, then decide.",
    ),
}


def advice(alert: StockAlert, language: Language) -> str:
    """Return what to do about an alert; it asks to buy only where buying is meant to help."""
    said = _ADVICE[language]
    if alert.rule.kind in SHORTAGES:
        return said.shortage[alert.level] if alert.facts.is_bought else said.not_bought
    return said.by_kind.get(alert.rule.kind, said.other)
