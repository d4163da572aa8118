"""Lists of reservations, a page at a time, the newest first.

A statement for each set of questions: with one for all, which of them are asked would be known only
when it is carried out, and none of their indexes could be chosen before.
"""

from services.ledger.domain.reservations import Reservation, State
from services.ledger.store.reservations import READ, reservations_of
from shared.database.engine import Driver

_PAGE = """
SELECT r.id FROM reservation AS r
WHERE {about}
ORDER BY r.id DESC LIMIT {limit}
"""

_WITH_SKU = """EXISTS (
    SELECT 1 FROM reservation_line AS l JOIN level AS v ON v.id = l.level_id
    WHERE l.reservation_id = r.id AND v.sku = {sku})"""

_PAGE_OF_SKU = """
SELECT DISTINCT n.id FROM level AS v CROSS JOIN LATERAL (
    SELECT DISTINCT l.reservation_id AS id FROM reservation_line AS l{with_state}
    WHERE l.level_id = v.id{about}
    ORDER BY l.reservation_id DESC LIMIT {limit}
) AS n
WHERE v.sku = {sku}
ORDER BY n.id DESC LIMIT {limit}
"""
# Of each level only as many as a page has: what a SKU has ever been reserved for is not sorted.

_WITH_STATE = " JOIN reservation AS r ON r.id = l.reservation_id"

_IN_STATE = """
      AND r.state = {state}
      AND l.reservation_id >= (SELECT min(id) FROM reservation WHERE state = {state})
      AND l.reservation_id <= (SELECT max(id) FROM reservation WHERE state = {state})"""
# A SKU with little in a state would be gone through to its end: what is held is not that old.


async def page(
    driver: Driver,
    *,
    reference: str | None,
    state: State | None,
    sku: str | None,
    before: str | None,
    limit: int,
) -> list[Reservation]:
    """Return up to `limit` reservations made before an id, the newest first."""
    arguments: list[object] = []

    def given(value: object) -> str:
        arguments.append(value)
        return f"${len(arguments)}"

    most = given(limit)
    if sku is not None and reference is None:
        about = "" if before is None else f"\n      AND l.reservation_id < {given(before)}"
        if state is not None:
            about += _IN_STATE.format(state=given(state.value))
        with_state = "" if state is None else _WITH_STATE
        chosen = _PAGE_OF_SKU.format(sku=given(sku), about=about, with_state=with_state, limit=most)
    else:
        asked = [
            *([f"r.reference = {given(reference)}"] if reference is not None else []),
            *([f"r.state = {given(state.value)}"] if state is not None else []),
            *([_WITH_SKU.format(sku=given(sku))] if sku is not None else []),
            *([f"r.id < {given(before)}"] if before is not None else []),
        ]
        chosen = _PAGE.format(about=" AND ".join(asked) or "true", limit=most)
    rows = await driver.fetch(READ.format(chosen=f"IN ({chosen})"), *arguments)
    return list(reservations_of(rows).values())
