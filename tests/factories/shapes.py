"""Changes of every type: the fields that a type needs, may have, and must not have."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from shared.events.stock_changes import OPTIONAL, SHAPES, Bucket, ChangeType, Shape

FIELDS: dict[str, object] = {
    "reference": "PO 4711",
    "counterparty": "side",
    "bucket": Bucket.UNAVAILABLE,
    "eta": datetime(2026, 3, 8, 12, tzinfo=UTC),
}
"""A good value of each of the fields that depend on the type."""

NEEDED = [(kind, name) for kind in ChangeType for name in OPTIONAL if name in SHAPES[kind].needs]
ALLOWED = [
    (kind, name) for kind in ChangeType for name in OPTIONAL if name in SHAPES[kind].may_have
]
FORBIDDEN = [
    (kind, name)
    for kind in ChangeType
    for name in OPTIONAL
    if name not in SHAPES[kind].needs | SHAPES[kind].may_have
]


def needed(kind: ChangeType) -> dict[str, object]:
    """Return the fields that a type needs, each with a good value."""
    return {name: FIELDS[name] for name in OPTIONAL if name in SHAPES[kind].needs}


def mostly_fitting(
    kind: ChangeType, values: dict[str, st.SearchStrategy[object]]
) -> dict[str, st.SearchStrategy[object]]:
    """Return for each field what it holds: nearly always what fits the type, None for nothing."""
    return {name: _fitting(SHAPES[kind], name, values[name]) for name in OPTIONAL}


def _fitting(
    shape: Shape, name: str, value: st.SearchStrategy[object]
) -> st.SearchStrategy[object]:
    if name in shape.needs:
        return _mostly(value, st.none())
    if name in shape.may_have:
        return st.none() | value
    return _mostly(st.none(), value)


def _mostly(
    fitting: st.SearchStrategy[object], other: st.SearchStrategy[object]
) -> st.SearchStrategy[object]:
    return st.integers(1, 25).flatmap(lambda dice: other if dice == 25 else fitting)
