"""What is typed into the form of a rule and not saved, as the browser's tab keeps it."""

from pydantic import BaseModel, ValidationError

from services.console.domain.rule_form import Values
from services.console.domain.rule_kinds import KINDS


class Draft(BaseModel):
    """What the form holds, and of which version; 0 of a new rule."""

    version: int
    values: Values


def draft_of(text: str) -> Draft | None:
    """Return the draft that a tab has kept; None without one, or of a form that is no more."""
    try:
        draft = Draft.model_validate_json(text)
    except ValidationError:
        return None
    return draft if draft.values.get("kind") in KINDS else None


def name_of(rule_id: str) -> str:
    """Return the name under which a rule's draft is kept; `rule_id` is empty for a new one."""
    return f"lowtide.rule.{rule_id or 'new'}"
