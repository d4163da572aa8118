"""Versions of a rule, each with what it changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from services.console.upstream.rules import Rule

PARTS = {
    "name": "name",
    "kind": "kind",
    "subject": "subject",
    "pool": "subject",
    "covers_levels": "subject",
    "levels": "levels",
    "scope": "scope",
    "filters": "filters",
    "condition": "condition",
    "clear_condition": "condition",
    "doubts": "doubts",
    "pending_seconds": "times",
    "recovery_seconds": "times",
    "active": "active",
    "labels": "labels",
    "playbook": "playbook",
    "owner": "owner",
    "enabled": "enabled",
}


@dataclass(frozen=True, slots=True)
class Version:
    """A version and the parts in which it differs from the one before; None: not known."""

    rule: Rule
    changed: tuple[str, ...] | None


def versions(rules: Sequence[Rule]) -> list[Version]:
    """Return what each version changed; `rules` are the versions, newest first."""
    found = []
    for rule, before in zip_longest(rules, rules[1:]):
        found.append(Version(rule, None if before is None else _changed(before, rule)))
    return found


def _changed(before: Rule, after: Rule) -> tuple[str, ...]:
    old, new = before.definition, after.definition
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return tuple(dict.fromkeys(PARTS.get(name, "other") for name in names))
