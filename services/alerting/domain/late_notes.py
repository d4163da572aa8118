"""What a reminder or an escalation says of those who were late: zh-CN and en in one note.

It goes to people of both languages, and into the history.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from shared.events.stock_alerts import Expected

_ZH: Final[Mapping[Expected, str]] = {
    Expected.ACKNOWLEDGE: "接单",
    Expected.ACT: "处理",
    Expected.APPROVE: "审批",
    Expected.CONFIRM: "确认",
}
_EN: Final[Mapping[Expected, str]] = {
    Expected.ACKNOWLEDGE: "acknowledged it",
    Expected.ACT: "acted",
    Expected.APPROVE: "approved",
    Expected.CONFIRM: "confirmed",
}


def late_note(
    expects: Expected,
    since: datetime,
    zone: str,
    escalated_to: Sequence[str] = (),
    to_buy: int | None = None,
) -> str:
    """Return the note; `escalated_to` are names, `to_buy` the units that are to be approved."""
    at = f"{since.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})"
    zh, en = f"自 {at} 起无人{_ZH[expects]}", f"Nobody has {_EN[expects]} since {at}"
    if escalated_to:
        names = ", ".join(escalated_to)
        zh, en = f"{zh}，已升级给 {names}", f"{en}; escalated to {names}"
    if to_buy is not None:
        zh, en = f"采购 {to_buy:,}：{zh}", f"To buy {to_buy:,}: {en}"
    return f"{zh}。{en}."
