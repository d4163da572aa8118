"""What is typed into the form of a rule and not saved, as the browser's tab keeps it."""

from pydantic import BaseModel, ValidationError

from services.console.domain.rule_form import Values
from services.console.domain.rule_kinds import KINDS
from services.console.domain.sign_in import Session


class Draft(BaseModel):
    """What the form holds, of which version (0 of a new rule), and whose it is.

    `person` is the id of who typed it, "" for somebody who had not said who they are.
    """

    version: int
    values: Values
    person: str
    session: str

    def is_of(self, session: Session) -> bool:
        """Return whether it is this viewer's: other people sign in in the same tab."""
        return self.session == session.id or self.person == person_of(session)


def draft_of(text: str) -> Draft | None:
    """Return the draft that a tab has kept; None without one, or of a form that is no more."""
    try:
        draft = Draft.model_validate_json(text)
    except ValidationError:
        return None
    return draft if draft.values.get("kind") in KINDS else None


def person_of(session: Session) -> str:
    """Return the id of the viewer, "" as long as they have not said who they are."""
    return session.myself.id if session.myself else ""


def name_of(rule_id: str) -> str:
    """Return the name under which a rule's draft is kept; `rule_id` is empty for a new one."""
    return f"lowtide.rule.{rule_id or 'new'}"
