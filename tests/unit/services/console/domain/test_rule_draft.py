"""What a browser's tab has kept of a rule's form."""

from datetime import UTC, datetime

import pytest

from services.console.domain.rule_draft import Draft, draft_of
from services.console.domain.rule_form import blank
from services.console.domain.sign_in import Myself, Session


def test_a_draft_is_what_was_kept() -> None:
    draft = Draft(version=3, values=blank(), person="lin", session="first")
    assert draft_of(draft.model_dump_json()) == draft


def test_what_is_no_draft_of_this_form_is_none() -> None:
    unknown = Draft(version=3, values=blank() | {"kind": "gone"}, person="", session="")
    for text in ("", "{", '{"version": 1}', unknown.model_dump_json()):
        assert draft_of(text) is None


@pytest.mark.parametrize(
    ("typed_by", "session", "seen_by", "is_theirs"),
    [
        ("lin", "other", "lin", True),
        ("lin", "other", "wang", False),
        ("lin", "other", "", False),
        ("", "other", "", True),
        ("", "other", "lin", False),
        ("", "this", "lin", True),  # who they are was said after they typed
    ],
)
def test_a_draft_is_its_persons(typed_by: str, session: str, seen_by: str, is_theirs: bool) -> None:
    draft = Draft(version=3, values=blank(), person=typed_by, session=session)
    myself = Myself(seen_by, seen_by) if seen_by else None
    viewer = Session("this", datetime(2026, 11, 29, tzinfo=UTC), myself)
    assert draft.is_of(viewer) is is_theirs
