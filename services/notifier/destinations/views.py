"""What templates are filled with: plain, shortened texts in one language, in reading order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from services.notifier.destinations.advice import advice
from services.notifier.destinations.mentions import (
    NOBODY_CALLED,
    Called,
    Mention,
    called,
    nobody,
    rings,
)
from services.notifier.destinations.words import WORDS, Words
from services.notifier.domain.announcements import ANNOUNCING
from services.notifier.domain.contents import Digest, DigestLine, Failure, FailureNote, TestNote
from services.notifier.domain.deliveries import Kind
from services.notifier.domain.destinations import Language
from services.notifier.domain.holding import HoldReason
from shared.events.stock_alerts import (
    ENDINGS,
    KINDS_IN_DAYS,
    SHORTAGES,
    Action,
    ActionKind,
    AlertEvent,
    AlertLevel,
    Arrival,
    StockAlert,
    SubjectKind,
)

OPTIONS_NAMED = 8
"""Of a product, those that are out: what fits on a card."""

CHANNELS_NAMED = 3
"""Of those that are silent: what fits into the shortest message with the longest of all else."""


@dataclass(frozen=True, slots=True)
class Line:
    """A labelled fact, or an episode of a digest with the link to it."""

    label: str
    text: str
    url: str = ""
    level: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """A message before its form: `level` names the colour, "" is neutral.

    `answers` are links by which a reader acts, `rung` what of the lines rings people.
    """

    title: str
    level: str
    lines: Sequence[Line]
    link: str
    url: str
    paragraphs: Sequence[str] = field(default_factory=tuple)
    more: str = ""
    footer: str = ""
    answers: Sequence[Line] = ()
    rung: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Phrasing:
    """How texts are put: language, zone, and what is done to texts that people have typed.

    `clean` takes the meaning out of whatever the form would read as markup. `longest` is the
    number of characters kept of a typed text. `mention` is how people are rung.
    """

    language: Language
    timezone: str
    console_url: str
    clean: Callable[[str], str]
    longest: int = 200
    mention: Mention = nobody

    @property
    def words(self) -> Words:
        """The phrases of the language."""
        return WORDS[self.language]

    def typed(self, text: str) -> str:
        """Return a typed text, shortened and harmless."""
        short = text if len(text) <= self.longest else text[: self.longest - 1].rstrip() + "…"
        return self.clean(short)

    def moment(self, instant: datetime) -> str:
        """Return an instant on the destination's own clock."""
        local, zone = self._local(instant)
        return f"{local:%Y-%m-%d %H:%M} ({zone})"

    def day(self, instant: datetime) -> str:
        """Return the day of an instant by the destination's own clock."""
        return f"{self._local(instant)[0]:%Y-%m-%d}"

    def _local(self, instant: datetime) -> tuple[datetime, str]:
        try:
            return instant.astimezone(ZoneInfo(self.timezone)), self.timezone
        except OverflowError:  # the last hours of the calendar have none in the east
            return instant, "UTC"

    def duration(self, span: timedelta) -> str:
        """Return a span in days, hours and minutes."""
        minutes = max(0, int(span.total_seconds() // 60))
        return self.words.duration.format(minutes // 1440, minutes // 60 % 24, minutes % 60)

    def alert_url(self, alert: StockAlert) -> str:
        """Return where the console shows an episode."""
        return f"{self.console_url}/alerts/{alert.alert_id}"


def notice_view(
    alert: StockAlert, phrasing: Phrasing, kind: Kind, *, possible_duplicate: bool
) -> View:
    """Return the view of an alert message."""
    words = phrasing.words
    whom = NOBODY_CALLED
    if rings(kind, alert):
        whom = called(alert, phrasing.mention, phrasing.typed)
    return View(
        title=_title(alert, phrasing, possible_duplicate=possible_duplicate),
        level=_colour(alert),
        lines=[
            *_for(whom, words),
            *_where(alert, phrasing),
            *_how_bad(alert, phrasing),
            *_since(alert, phrasing),
        ],
        link=words.details,
        url=phrasing.alert_url(alert),
        footer=words.footer,
        rung=whom.rung,
    )


def _for(whom: Called, words: Words) -> list[Line]:
    return [Line(words.called, whom.words)] if whom.words else []


def _colour(alert: StockAlert) -> str:
    return "" if alert.event in ENDINGS else alert.level.value


def _title(alert: StockAlert, phrasing: Phrasing, *, possible_duplicate: bool) -> str:
    words = phrasing.words
    level = words.levels[alert.level]
    match alert.event:
        case AlertEvent.OPENED:
            head = level
        case AlertEvent.LEVEL_CHANGED if alert.previous_level is not None:
            head = f"{words.levels[alert.previous_level]} → {level}"
        case _:
            head = words.happened(alert)
    mark = words.mark.format(words.possible_duplicate) if possible_duplicate else ""
    name = phrasing.typed(alert.sku_name or alert.sku)
    return f"{mark}{words.mark.format(head)}#{alert.number} {name}"


def _where(alert: StockAlert, phrasing: Phrasing) -> list[Line]:
    words = phrasing.words
    is_product = alert.subject is SubjectKind.PRODUCT
    is_level = alert.subject is SubjectKind.LEVEL
    return [
        Line(words.product if is_product else words.sku, phrasing.clean(alert.sku)),
        Line(words.warehouse if is_level else words.pool, phrasing.clean(alert.warehouse)),
    ]


def _how_bad(alert: StockAlert, phrasing: Phrasing) -> list[Line]:
    words, facts = phrasing.words, alert.facts
    stock = f"{facts.available:,} ({words.on_hand} {facts.on_hand:,}"
    stock += f", {words.incoming} {facts.incoming:,})" if facts.incoming else ")"
    lines = [*_options(alert, phrasing), *_doubts(alert, phrasing), Line(words.available, stock)]
    lines += _when(alert, phrasing)
    if facts.threshold is not None:
        lines.append(Line(words.threshold, _threshold(alert, facts.threshold, words)))
    if facts.days_of_cover is not None:
        cover = f"{facts.days_of_cover:,.1f}"
        if facts.daily_sales is not None:
            cover += f" ({words.daily_sales} {facts.daily_sales:,.1f})"
        lines.append(Line(words.cover, cover))
    return lines


def _when(alert: StockAlert, phrasing: Phrasing) -> list[Line]:
    """Return what is late, when it runs out, and what arrives next, as far as the rule asks."""
    words, facts, kind = phrasing.words, alert.facts, alert.rule.kind
    lines = []
    if facts.overdue is not None and kind == "inbound_overdue":
        lines.append(Line(words.overdue, _arrival(facts.overdue, phrasing)))
    if facts.runs_out_at is not None and kind in SHORTAGES and alert.event not in ENDINGS:
        lines.append(Line(words.runs_out, phrasing.moment(facts.runs_out_at)))
    coming = facts.next_arrival
    # A revision may tell the lines as they were before one of them was due.
    if coming is not None and coming.due_at > alert.occurred_at:
        lines.append(Line(words.next_arrival, _arrival(coming, phrasing)))
    return lines


def _arrival(line: Arrival, phrasing: Phrasing) -> str:
    return f"{phrasing.day(line.due_at)} · {line.quantity:,} ({phrasing.typed(line.reference)})"


def _options(alert: StockAlert, phrasing: Phrasing) -> list[Line]:
    words, options = phrasing.words, alert.facts.options
    if options is None:
        return []
    lines = [Line(words.options, words.options_in_stock.format(options.in_stock, options.all))]
    named = [phrasing.typed(each.name or each.sku) for each in options.out[:OPTIONS_NAMED]]
    if named:
        more = "…" if options.all - options.in_stock > len(named) else ""
        lines.append(Line(words.options_out, _listed(named) + more))
    return lines


def _doubts(alert: StockAlert, phrasing: Phrasing) -> list[Line]:
    words, doubts = phrasing.words, alert.facts.doubts
    if doubts is None:
        return []
    why = [words.doubt_flags.get(flag) or phrasing.typed(flag) for flag in doubts.flags]
    if doubts.count_days is not None:
        why.append(words.doubt_count.format(f"{doubts.count_days:,}"))
    if doubts.silent:
        named = ", ".join(map(phrasing.typed, doubts.silent[:CHANNELS_NAMED]))
        more = "…" if len(doubts.silent) > CHANNELS_NAMED else ""
        why.append(words.doubt_silent.format(named + more))
    return [Line(words.doubts, _listed(why))]


def _threshold(alert: StockAlert, threshold: float, words: Words) -> str:
    if alert.facts.options is not None:
        return f"{threshold:.0%}"
    unit = f" {words.days}" if alert.rule.kind in KINDS_IN_DAYS else ""
    return _number(threshold) + unit


def _number(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() else f"{value:,.1f}"


def _since(alert: StockAlert, phrasing: Phrasing) -> list[Line]:
    words = phrasing.words
    lines = [Line(words.since, phrasing.moment(alert.opened_at))]
    if alert.event in ENDINGS:
        lines.append(Line(words.lasted, phrasing.duration(alert.occurred_at - alert.opened_at)))
    lines.append(Line(words.rule, phrasing.typed(_rule_name(alert, phrasing.language))))
    if alert.acknowledged_by is not None:
        lines.append(
            Line(words.acknowledged_by, phrasing.typed(alert.called(alert.acknowledged_by)))
        )
    if alert.owner is not None and alert.owner != alert.acknowledged_by:
        lines.append(Line(words.owner, phrasing.typed(alert.called(alert.owner))))
    if alert.snoozed_until is not None:
        lines.append(Line(words.snoozed_until, phrasing.moment(alert.snoozed_until)))
    if alert.event in ENDINGS and alert.actor is not None:
        lines.append(Line(words.ended_by, phrasing.typed(alert.called(alert.actor))))
    if alert.action is not None:
        lines.append(Line(words.action, _action(alert.action, alert.event, phrasing)))
    if alert.note:
        lines.append(Line(words.note, phrasing.typed(alert.note)))
    if alert.event in ANNOUNCING:
        lines.append(Line(words.advice, advice(alert, phrasing.language)))
    return lines


def _action(action: Action, event: AlertEvent, phrasing: Phrasing) -> str:
    """Return what is done, how much of it, and how far it is where the head does not say so."""
    words = phrasing.words
    what = words.action_kinds[action.kind]
    parts = [what if action.quantity is None else f"{what} {action.quantity:,}"]
    if event is not AlertEvent.ACTED and action.kind is not ActionKind.NONE:
        parts.append(words.progress(action))
    if action.source is not None:
        parts.append(words.action_source.format(phrasing.typed(action.source)))
    if action.order is not None:
        parts.append(phrasing.typed(action.order.reference))
    if action.due_at is not None:
        parts.append(words.action_due.format(phrasing.day(action.due_at)))
    return _listed(parts)


def _rule_name(alert: StockAlert, language: Language) -> str:
    names = alert.rule.name
    return names.get(language) or next(iter(names.values()), alert.rule.id)


def digest_view(
    digest: Digest, phrasing: Phrasing, *, shown: int, possible_duplicate: bool
) -> View:
    """Return the view of a digest with its first `shown` lines."""
    words = phrasing.words
    mark = words.mark.format(words.possible_duplicate) if possible_duplicate else ""
    worst = next((level for level in _WORST_FIRST if digest.opened.get(level)), None)
    counts = [
        f"{words.levels[level]} {digest.opened[level]:,}"
        for level in _WORST_FIRST
        if digest.opened.get(level)
    ]
    changes = [
        f"{words.ended if event is AlertEvent.RESOLVED else words.events[event]} {count:,}"
        for event, count in digest.changes.items()
        if count
    ]
    why = digest.why
    paragraphs = [words.digest_reason if why is None else words.held_reasons[why]]
    if counts:
        opened = words.events[AlertEvent.OPENED]
        paragraphs.append(f"{opened}{words.colon}{_listed(counts)}")
    if changes:
        paragraphs.append(f"{words.changes}{words.colon}{_listed(changes)}")
    unlisted = digest.episodes - shown
    return View(
        title=mark + _digest_title(digest, phrasing),
        level="" if worst is None else worst.value,
        lines=[_digest_line(line, phrasing) for line in digest.lines[:shown]],
        link=words.all_alerts,
        url=f"{phrasing.console_url}/alerts",
        paragraphs=paragraphs,
        more=words.more_lines.format(f"{unlisted:,}") if unlisted > 0 else "",
        footer=words.footer,
    )


def _digest_title(digest: Digest, phrasing: Phrasing) -> str:
    words = phrasing.words
    if digest.why is None:
        return words.digest.format(f" {digest.total:,} ").replace("  ", " ")
    title = words.held_titles[digest.why].format(f"{digest.episodes:,}")
    if digest.why is not HoldReason.SAME_OWNER:
        return title
    whose = ((words.owner, digest.owner), (words.supplier, digest.supplier))
    said = [f"{label} {phrasing.typed(name or words.nobody)}" for label, name in whose]
    return _listed([title, *said])


_WORST_FIRST = (AlertLevel.OUT, AlertLevel.URGENT, AlertLevel.WATCH)


def _listed(parts: Sequence[str]) -> str:
    return " · ".join(parts)


def _digest_line(line: DigestLine, phrasing: Phrasing) -> Line:
    words, alert = phrasing.words, line.alert
    ended = alert.event in ENDINGS
    label = words.happened(alert) if ended else words.levels[alert.level]
    if line.duplicate_possible:
        label = f"{words.possible_duplicate} · {label}"
    name = phrasing.typed(alert.sku_name or alert.sku)
    warehouse = phrasing.typed(alert.warehouse)
    options = alert.facts.options
    how = f"{words.available} {alert.facts.available:,}"
    if options is not None:
        in_stock = words.options_in_stock.format(options.in_stock, options.all)
        how = f"{words.options} {in_stock}"
    where = warehouse if alert.subject is SubjectKind.LEVEL else f"{words.pool} {warehouse}"
    text = f"#{alert.number} {name} · {how} · {where}"
    if ended and alert.note:
        text += f" · {phrasing.typed(alert.note)}"
    return Line(label, text, phrasing.alert_url(alert), _colour(alert))


def test_view(note: TestNote, phrasing: Phrasing) -> View:
    """Return the view of a test message."""
    words = phrasing.words
    body = words.test_body.format(
        phrasing.typed(note.asked_by), phrasing.typed(note.destination_name)
    )
    return View(
        words.test_head, "", (), words.all_alerts, f"{phrasing.console_url}/alerts", (body,)
    )


def failure_view(note: FailureNote, phrasing: Phrasing, *, possible_duplicate: bool) -> View:
    """Return the view of a note about a destination that does not, or again, take messages."""
    words = phrasing.words
    mark = words.mark.format(words.possible_duplicate) if possible_duplicate else ""
    paragraphs = [
        words.failure_bodies[note.what].format(
            phrasing.typed(note.destination_name),
            phrasing.typed(note.destination),
            phrasing.typed(note.detail),
            "" if note.since is None else phrasing.moment(note.since),
        )
    ]
    if note.alert_number is not None:
        paragraphs.append(words.failure_alert.format(note.alert_number))
    return View(
        mark + words.failure_heads[note.what],
        "" if note.what is Failure.BACK else AlertLevel.URGENT.value,
        (),
        words.all_alerts,
        f"{phrasing.console_url}/alerts",
        tuple(paragraphs),
    )
