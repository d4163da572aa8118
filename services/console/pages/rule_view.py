"""What the form of a rule shows, put together for its template."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from services.console.domain.active_form import ALWAYS, AS_IT_IS, CALENDAR, WEEKDAYS, WINDOW
from services.console.domain.condition_rows import (
    NUMBERS,
    OF_NUMBERS,
    OF_TEXTS,
    TEXTS,
    numbers_of_rows,
    part,
)
from services.console.domain.rule_form import (
    OF_GOODS,
    OF_ONE_SKU,
    SECONDS,
    asks_to_buy,
    subject_of,
)
from services.console.domain.rule_kinds import BY_KIND, FIRST, FLAGS, FURTHER, LEVELS
from services.console.domain.rule_mistakes import Mistake
from services.console.domain.texts import Words
from services.console.pages.condition import Condition
from services.console.pages.frame import Frame
from services.console.upstream.directory import Names
from services.console.upstream.rules import Playbook


def form_html(
    frame: Frame,
    values: Mapping[str, str],
    mistakes: Sequence[Mistake],
    *,
    names: Names,
    calendars: Sequence[str],
    playbooks: Sequence[Playbook],
    people: Mapping[str, str],
    conditions: Sequence[Condition],
    state: Mapping[str, object],
) -> str:
    """Return the form; `state` is that of saving and checking."""
    errors: defaultdict[str, str] = defaultdict(str)
    for one in mistakes:
        errors[one.field] = errors[one.field] or one.words
    kind = BY_KIND[values["kind"]]
    words = frame.words
    return frame.html(
        "rule_form.html",
        values=values,
        errors=errors,
        first=FIRST,
        further=FURTHER,
        kind=kind,
        unit=_unit(values["kind"], words),
        levels=LEVELS,
        flags=FLAGS,
        times=[(unit, words(f"rule.unit.{unit}")) for unit in SECONDS],
        weekdays=[(day, words(f"rule.active.day.{day}")) for day in WEEKDAYS],
        hours=_hours(values["active"], calendars, words),
        playbooks=_playbooks(values["playbook"], playbooks, words),
        people=_people(values["owner"], people),
        conditions=[_condition(values, one, mistakes, words) for one in conditions],
        fields=[(name, words(f"field.{name}")) for name in (*NUMBERS, *TEXTS)],
        warehouses=_choice(values["scope.warehouses"], names.warehouses),
        channels=_choice(values["doubt.channels"], names.channels),
        subject=subject_of(values),
        asks_to_buy=asks_to_buy(values),
        of_goods=OF_GOODS,
        of_one_sku=OF_ONE_SKU,
        **state,
    )


def _condition(
    values: Mapping[str, str], condition: Condition, mistakes: Sequence[Mistake], words: Words
) -> dict[str, object]:
    """Return one of the conditions, as rows and as text; `at` is before its names."""
    said = part(values, condition.prefix)
    own = (one for one in mistakes if one.field == condition.field)
    position = next((one for one in own if one.line is not None), None)
    return {
        "field": condition.field,
        "at": condition.prefix,
        "mode": said["mode"],
        "join": said["join"],
        "text": said["cel"],
        "rows": [_row(said, row, words) for row in numbers_of_rows(said)],
        "position": position,
        "excerpt": excerpt(said["cel"], position),
        "refused": condition.refused,
        "cel": condition.text,
    }


def excerpt(text: str, position: Mistake | None) -> tuple[str, str, str] | None:
    """Return the line with the mistake: what is before it, the sign it begins with, the rest."""
    if position is None or position.line is None or position.column is None:
        return None
    lines = text.split("\n")
    line = lines[position.line - 1] if position.line <= len(lines) else ""
    at = position.column - 1
    return line[:at], line[at : at + 1] or " ", line[at + 1 :]


def _unit(kind: str, words: Words) -> str:
    unit = BY_KIND[kind].unit
    return words.get(f"kind.times.{kind}", words(f"kind.{unit}")) if unit else ""


def _hours(chosen: str, calendars: Sequence[str], words: Words) -> list[tuple[str, str]]:
    """Return what may be chosen, and what is chosen in any case."""
    named = [CALENDAR + calendar for calendar in calendars]
    if chosen.startswith(CALENDAR) and chosen not in named:
        named.append(chosen)
    return [
        (ALWAYS, words("rule.active.always")),
        (WINDOW, words("rule.active.window")),
        *((one, words("rule.active.calendar", name=one.removeprefix(CALENDAR))) for one in named),
        *([(AS_IT_IS, words("rule.active.as_it_is"))] if chosen == AS_IT_IS else []),
    ]


def _playbooks(chosen: str, playbooks: Sequence[Playbook], words: Words) -> list[tuple[str, str]]:
    """Return what may be chosen, and what is chosen in any case."""
    offered = {one.id: _named(one, words) for one in playbooks if one.enabled or one.id == chosen}
    if chosen:
        offered.setdefault(chosen, chosen)
    return list(offered.items())


def _people(chosen: str, people: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return who may be chosen, and who is chosen in any case."""
    return list((dict(people) | ({chosen: people.get(chosen, chosen)} if chosen else {})).items())


def _named(playbook: Playbook, words: Words) -> str:
    name = words.named(playbook.name)
    if not playbook.enabled:
        return words("rule.playbook.off", name=name)
    levels = words("list.joint").join(words(f"level.{one}") for one in playbook.default_for)
    return words("rule.playbook.of", name=name, levels=levels) if levels else name


def _row(values: Mapping[str, str], row: str, words: Words) -> dict[str, object]:
    field = values[f"row.{row}.field"]
    is_text = field in TEXTS
    partners = [name for name in (TEXTS if is_text else NUMBERS) if name != field]
    comparison = values[f"row.{row}.comparison"]
    return {
        "number": row,
        "field": field,
        "comparison": comparison,
        "of": values[f"row.{row}.of"],
        "value": values[f"row.{row}.value"],
        "comparisons": [
            (sign, words(f"rule.compare.{sign}")) for sign in (OF_TEXTS if is_text else OF_NUMBERS)
        ],
        "partners": []
        if comparison == "in"
        else [(name, words(f"field.{name}")) for name in partners],
    }


def _choice(said: str, names: Mapping[str, str]) -> list[tuple[str, str, bool]]:
    """Return what there is with its names and whether each is chosen, unknown ones too."""
    chosen = said.splitlines()
    known = dict(names) | {one: one for one in chosen if one not in names}
    return [(one, name, one in chosen) for one, name in known.items()]
