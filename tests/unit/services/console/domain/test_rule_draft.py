"""What a browser's tab has kept of a rule's form."""

from services.console.domain.rule_draft import Draft, draft_of
from services.console.domain.rule_form import blank


def test_a_draft_is_what_was_kept() -> None:
    draft = Draft(version=3, values=blank())
    assert draft_of(draft.model_dump_json()) == draft


def test_what_is_no_draft_of_this_form_is_none() -> None:
    unknown = Draft(version=3, values=blank() | {"kind": "gone"})
    for text in ("", "{", '{"version": 1}', unknown.model_dump_json()):
        assert draft_of(text) is None
