"""The ids by which vendors of chat know people, in the forms that mean one person.

None holds what is markup anywhere, and none is a vendor's word for everybody, so what has its form
may stand in a mention: WeCom's page on members (1 to 64 of A-Z, a-z, 0-9 and _-@., the first a
letter or digit), DingTalk's on userids, Feishu's on user identities (`ou_…`), Slack's on the user
type (`U…`, `W…`).
"""

import re
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator

WECOM_USERID = re.compile(r"(?!all$)[a-z0-9][a-z0-9_.@-]{0,63}", re.IGNORECASE | re.ASCII)
DINGTALK_USERID = WECOM_USERID
FEISHU_OPEN_ID = re.compile(r"ou_[A-Za-z0-9]{1,61}")
SLACK_USER_ID = re.compile(r"[UW][A-Z0-9]{2,20}")


def _in_form(form: re.Pattern[str], advice: str) -> Callable[[str], str]:
    def checked(written: str) -> str:
        if not form.fullmatch(written):
            raise ValueError(advice)
        return written

    return checked


DingtalkUserid = Annotated[
    str,
    AfterValidator(
        _in_form(
            DINGTALK_USERID,
            "send the userid of DingTalk's contacts, such as manager4220: at most 64 letters, "
            "digits and _.@-, and not the word all",
        )
    ),
]
FeishuOpenId = Annotated[
    str, AfterValidator(_in_form(FEISHU_OPEN_ID, "send an open_id: ou_ and letters and digits"))
]
SlackUserId = Annotated[
    str,
    AfterValidator(
        _in_form(SLACK_USER_ID, "send the member ID of the profile, such as U012AB3CD: no name")
    ),
]
