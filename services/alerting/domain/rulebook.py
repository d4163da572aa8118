"""All rules as of one revision, and which of them watch a subject."""

from collections.abc import Collection, Iterable

from services.alerting.domain.rule import Rule
from services.alerting.domain.subject import Item, Subject
from shared.events.stock_alerts import AlertLevel


class RuleBook:
    """The rules in force and the disabled ones, at one revision of the configuration.

    Never changed: an edit makes a new book, so a batch sees one set of rules throughout.
    """

    def __init__(self, revision: int = 0, rules: Iterable[Rule] = ()) -> None:
        self.revision = revision
        self._rules = {rule.id: rule for rule in rules}
        self._enabled = tuple(
            sorted((rule for rule in self._rules.values() if rule.enabled), key=_turn)
        )
        self.asks_catalogue = any(rule.scope.asks_catalogue for rule in self._enabled)
        """Whether a change of the catalogue can change what is watched."""
        self.asks_parameters = any(rule.asks_parameters for rule in self._enabled)
        """Whether a changed parameter can change an evaluation."""
        self.asks_day = any(rule.asks_day for rule in self._enabled)
        """Whether a new day can change an evaluation."""
        # Asked once per message, answered from here: the scope of a subject hardly ever changes.
        self._watching: dict[Subject, tuple[Item | None, tuple[Rule, ...]]] = {}

    @property
    def rules(self) -> Collection[Rule]:
        """All rules, enabled or not."""
        return self._rules.values()

    def find(self, rule_id: str) -> Rule | None:
        """Return a rule, enabled or not."""
        return self._rules.get(rule_id)

    def watching(self, subject: Subject, item: Item | None) -> tuple[Rule, ...]:
        """Return the enabled rules that have a subject in scope, in the order to evaluate them."""
        known = self._watching.get(subject)
        if known is not None and known[0] is item:
            return known[1]
        rules = tuple(rule for rule in self._enabled if rule.scope.contains(subject, item))
        self._watching[subject] = (item, rules)
        return rules


def _turn(rule: Rule) -> tuple[bool, bool]:
    """Order rules so that whoever can say 断货 (out) does, before that keeps others quiet."""
    says_out = any(limit.level is AlertLevel.OUT for limit in rule.limits)
    return rule.filters.inhibited_by_out, not says_out
