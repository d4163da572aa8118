"""What can be done about an alert, as forms: a kind has fields, a state allows steps."""

from collections.abc import Mapping, Sequence

SUPPLYING = frozenset({"buy", "transfer"})
"""Kinds that bring stock: they are ordered and received."""

FIELDS: Mapping[str, Sequence[str]] = {
    "buy": ("quantity", "note"),
    "transfer": ("quantity", "source", "note"),
    "none": ("reason",),
}
"""What is asked before an action of a kind is requested; of all others only a note."""

STEP_FIELDS: Mapping[str, Sequence[str]] = {
    "order": ("due_at", "note"),
    "reject": ("note",),
    "cancel": ("note",),
}
"""What is asked before a step; all others are done at once."""

NEEDED = frozenset({"quantity", "source", "reason"})

_STEPS: Mapping[str, tuple[str, ...]] = {
    "proposed": ("approve", "reject", "cancel"),
    "approved": ("done", "cancel"),
    "ordered": ("receive", "cancel"),
}


def fields(kind: str) -> Sequence[str]:
    """Return the fields of a kind."""
    return FIELDS.get(kind, ("note",))


def steps(kind: str, state: str, *, is_own: bool) -> tuple[str, ...]:
    """Return what can be done with an action; `is_own` is what the viewer has asked for.

    Nobody approves or turns down their own request.
    """
    if state == "approved" and kind in SUPPLYING:
        return ("order", "cancel")
    own = {"approve", "reject"} if is_own else {"cancel"} if state == "proposed" else set()
    return tuple(step for step in _STEPS.get(state, ()) if step not in own)


def mistakes(asked: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with what was typed: by field, the key of its text."""
    wrong = {}
    for name in asked:
        value = given.get(name, "").strip()
        if not value and name in NEEDED:
            wrong[name] = "form.required"
        elif name == "quantity" and not (value.isascii() and value.isdigit() and int(value)):
            wrong[name] = "form.no_number"
    return wrong


def body(asked: Sequence[str], given: Mapping[str, str]) -> dict[str, object]:
    """Return what was typed as alerting takes it; what is empty is left out."""
    typed = {name: given.get(name, "").strip() for name in asked}
    return {
        name: int(value) if name == "quantity" else value for name, value in typed.items() if value
    }
