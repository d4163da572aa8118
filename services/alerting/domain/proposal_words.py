"""The sum behind a proposed quantity in words: zh-CN and en."""

from collections.abc import Mapping
from typing import Final

from services.alerting.domain.proposal import Proposal, Term, TermName
from services.alerting.domain.words import Text
from shared.events.stock_alerts import ActionKind

_NAMES: Final[Mapping[TermName, Text]] = {
    TermName.REORDER_POINT: Text("再订货点", "reorder point"),
    TermName.ORDER_QUANTITY: Text("订货量", "order quantity"),
    TermName.LEAD_TIME_DEMAND: Text("交期加 7 天的销量", "sales of the lead time and 7 days"),
    TermName.ASSUMED_LEAD_TIME_DEMAND: Text(
        "14 天的销量（交期未设置）", "sales of 14 days (no lead time is set)"
    ),
    TermName.SAFETY_STOCK: Text("安全库存", "safety stock"),
    TermName.AVAILABLE: Text("可用", "available"),
    TermName.INCOMING: Text("在途", "incoming"),
    TermName.ON_ORDER: Text("已下单未在途", "on order, not yet incoming"),
    TermName.NEED: Text("需要", "need"),
    TermName.MOQ: Text("最小起订量", "minimum order quantity"),
    TermName.PACK_MULTIPLE: Text("包装数", "pack multiple"),
    TermName.SURPLUS: Text("对方仓库富余", "surplus there"),
}

_UNKNOWN = Text(
    "没有再订货点，也没有足够的销量，无法算出数量；请自行填写。",
    "There is no reorder point and too little is known of sales to say how much; say it yourself.",
)

_NO_NEED = Text("{} = {}：不需要补货。", "{} = {}: nothing is needed.")
_AS_IT_IS = Text("{} = {}。", "{} = {}.")
_ROUNDED = Text("{} = {}，按{}取整为 {}。", "{} = {}, rounded to {} for the {}.")
_AT_MOST = Text("{} = {}，{}，可调 {}。", "{} = {}, {}: move {}.")

_IN_SUM: Final = frozenset(TermName) - {
    TermName.NEED,
    TermName.MOQ,
    TermName.PACK_MULTIPLE,
    TermName.SURPLUS,
}


def in_words(proposal: Proposal) -> Text | None:
    """Return the sum as a sentence; None where an action has no quantity."""
    if proposal.kind not in {ActionKind.BUY, ActionKind.TRANSFER}:
        return None
    summed = [term for term in proposal.terms if term.name in _IN_SUM]
    if not summed:
        return _UNKNOWN
    need = sum(term.value for term in summed)
    zh, en = _sum(summed, zh=True), _sum(summed, zh=False)
    quantity = proposal.quantity or 0
    others = [term for term in proposal.terms if term.name not in _IN_SUM | {TermName.NEED}]
    if not quantity:
        return Text(_NO_NEED.zh.format(zh, need), _NO_NEED.en.format(en, need))
    if proposal.kind is ActionKind.TRANSFER:
        most = others[0]
        return Text(
            _AT_MOST.zh.format(zh, need, f"{_NAMES[most.name].zh} {most.value}", quantity),
            _AT_MOST.en.format(en, need, f"{_NAMES[most.name].en} {most.value}", quantity),
        )
    if quantity == need:
        return Text(_AS_IT_IS.zh.format(zh, need), _AS_IT_IS.en.format(en, need))
    for_zh = "、".join(f"{_NAMES[term.name].zh} {term.value}" for term in others)
    for_en = " and ".join(f"{_NAMES[term.name].en} {term.value}" for term in others)
    return Text(
        _ROUNDED.zh.format(zh, need, for_zh, quantity),
        _ROUNDED.en.format(en, need, quantity, for_en),
    )


def _sum(terms: list[Term], *, zh: bool) -> str:
    shown = ""
    for term in terms:
        name = _NAMES[term.name].zh if zh else _NAMES[term.name].en
        taken_off = term.name in {TermName.AVAILABLE, TermName.INCOMING, TermName.ON_ORDER}
        sign = "−" if taken_off else "+"
        value = -term.value if taken_off else term.value
        number = f"({value})" if value < 0 else str(value)
        shown += f" {sign} {name} {number}" if shown else f"{name} {number}"
    return shown[0].upper() + shown[1:]
