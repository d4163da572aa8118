"""Templates to HTML: values are escaped, and times are left to the viewer's browser and zone."""

from datetime import datetime
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from services.console.domain.language import Language
from services.console.domain.texts import Words, number, signed
from services.console.pages import message

_TEMPLATES = Path(__file__).parent / "templates"


@cache
def _environment(language: Language) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "t": Words(language),
        "number": number,
        "signed": signed,
        "level_path": level_path,
        "ago": _ago,
        "at": _at,
        "last_day": _last_day,
        "on_day": _on_day,
        "curve": _curve,
        "message": message.html,
    }
    return environment


def html(language: Language, template: str, **values: object) -> str:
    """Return a template filled in; raises UndefinedError for a value that was not given."""
    return _environment(language).get_template(template).render(**values)


def level_path(sku: str, warehouse: str) -> str:
    """Return the address of a level's page."""
    return f"/stock/{quote(sku, safe='')}/{quote(warehouse, safe='')}"


def _ago(instant: datetime) -> Markup:
    """Return an instant as "3 minutes ago", kept true by the browser."""
    return Markup('<lt-time at="{}" form="ago"></lt-time>').format(instant.isoformat())


def _at(instant: datetime) -> Markup:
    """Return an instant as date and time."""
    return Markup('<lt-time at="{}" form="at"></lt-time>').format(instant.isoformat())


def _last_day(instant: datetime) -> Markup:
    """Return the last day before an instant, in the viewer's zone."""
    return Markup('<lt-time at="{}" form="day"></lt-time>').format(instant.isoformat())


def _on_day(instant: datetime) -> Markup:
    """Return the day of an instant, in the viewer's zone."""
    return Markup('<lt-time at="{}" form="on"></lt-time>').format(instant.isoformat())


def _curve(values: tuple[float, ...], width: int = 160, height: int = 36) -> str:
    """Return the points of an SVG polyline through the values, the newest at the right."""
    top = max([*values, 1.0])
    step = width / max(len(values) - 1, 1)
    return " ".join(
        f"{index * step:.1f},{height - 2 - value / top * (height - 4):.1f}"
        for index, value in enumerate(values)
    )
