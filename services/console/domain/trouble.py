"""What a vendor's code means to the person who can mend it.

The codes are those of the vendors' documents (WeCom 全局错误码, DingTalk and Feishu custom bots,
Slack Web API), HTTP and SMTP (RFC 5321, 4954), and the notifier's own words.
"""

import re
from collections.abc import Mapping
from typing import Final

_WECOM: Final[Mapping[str, str]] = {
    "45009": "too_often",
    "45033": "too_often",
    "40008": "not_understood",
    "40058": "not_understood",
    "40033": "not_understood",
    "45002": "too_long",
    "-1": "busy",
    "6000": "busy",
}
_VENDORS: Final[Mapping[str, Mapping[str, str]]] = {
    "wecom_bot": {**_WECOM, "93000": "bad_key"},
    "wecom_app": {
        **_WECOM,
        "40001": "bad_key",
        "40013": "bad_key",
        "60020": "address_not_trusted",
        "81013": "nobody_there",
    },
    "dingtalk_bot": {
        "310000": "bad_signature",
        "300005": "bad_key",
        "130101": "too_often",
        "410100": "too_often",
        "460101": "too_long",
        "-1": "busy",
    },
    "feishu_bot": {
        "19021": "bad_signature",
        "19022": "address_not_allowed",
        "19024": "keyword_missing",
        "19001": "bad_key",
        "9499": "busy",
        "11232": "too_often",
    },
    "slack": {
        "invalid_auth": "bad_key",
        "not_authed": "bad_key",
        "account_inactive": "bad_key",
        "token_revoked": "bad_key",
        "token_expired": "bad_key",
        "missing_scope": "scope_missing",
        "channel_not_found": "channel_unknown",
        "not_in_channel": "not_in_channel",
        "is_archived": "channel_archived",
        "msg_too_long": "too_long",
        "ratelimited": "too_often",
        "rate_limited": "too_often",
        "service_unavailable": "busy",
        "request_timeout": "busy",
        "fatal_error": "unknown",
        "internal_error": "unknown",
    },
    "email": {
        "535": "bad_password",
        "534": "bad_password",
        "530": "bad_password",
        "550": "mailbox_unknown",
        "551": "mailbox_unknown",
        "553": "mailbox_unknown",
        "5xx": "mailbox_unknown",
        "552": "mailbox_full",
        "452": "mailbox_full",
        "554": "mail_refused",
        "421": "busy",
        "450": "busy",
        "451": "busy",
        "4xx": "busy",
    },
}
_EVERYWHERE: Final[Mapping[str, str]] = {
    "timeout": "unknown",
    "interrupted": "unknown",
    "cut": "unknown",
    "unreadable": "unknown",
    "ConnectError": "unreachable",
    "ConnectTimeout": "unreachable",
    "PoolTimeout": "unreachable",
    "SMTPConnectError": "unreachable",
    "SMTPConnectTimeoutError": "unreachable",
    "SMTPServerDisconnected": "unreachable",
    "url": "bad_url",
    "400": "not_understood",
    "401": "bad_key",
    "403": "bad_key",
    "404": "address_unknown",
    "410": "gone",
    "413": "too_long",
    "422": "not_understood",
    "429": "too_often",
}
KINDS: Final = frozenset(
    {*_EVERYWHERE.values(), *(one for codes in _VENDORS.values() for one in codes.values()), "away"}
)
"""All there is to tell; each has words in `delivery_texts`."""


def trouble(kind: str, code: str | None) -> str | None:
    """Return what a code of a kind of destination means, or None where that is not known."""
    if code is None:
        return None
    known = _VENDORS.get(kind, {}).get(code) or _EVERYWHERE.get(code)
    if known is None and len(code) == 3 and code.startswith("5") and kind != "email":
        return "away"
    return known


_CODE = re.compile(r"errcode (-?\d+):|HTTP (\d{3})\b|^(\d{3}) |^([a-z_]+)$")


def trouble_told(kind: str, reason: str) -> str | None:
    """Return what the code within a delivery's reason means, or None where that is not known."""
    found = _CODE.search(reason.rpartition("refused: ")[2].rpartition("gave_up: ")[2])
    return None if found is None else trouble(kind, next(filter(None, found.groups())))
