import httpx

from deploy.local.replays.checking import Episode, check_levels, check_subjects, reopened
from deploy.local.replays.declaration import load
from deploy.local.replays.lowtide import Lowtide
from deploy.local.replays.recount import Level, Recount

DECLARATION = load("uci_online_retail")


def recounted(**levels: Level) -> Recount:
    return Recount(0, 0, 0, 0, len(levels), 0, len(levels), levels)


def ledger(*levels: dict[str, object]) -> Lowtide:
    answer = {"items": list(levels), "next_cursor": None}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=answer))
    return Lowtide({"ledger": "http://ledger"}, "token", transport=transport)


def level(sku: str, **changes: object) -> dict[str, object]:
    numbers = {
        "on_hand": 4,
        "available": 4,
        "sold_total": 10,
        "returned_total": 2,
        "received_total": 6,
    }
    return {"sku": sku, "warehouse": "london", "version": 7, **numbers, **changes}


A = Level(on_hand=4, sold_total=10, returned_total=2, received_total=6, lowest=-1)


async def test_equal_levels_match() -> None:
    checked = await check_levels(ledger(level("A")), recounted(A=A), "london")
    assert (checked.checked, checked.mismatched) == (1, ())


async def test_a_difference_in_any_number_is_a_mismatch() -> None:
    for name in ("on_hand", "available", "sold_total", "returned_total", "received_total"):
        checked = await check_levels(ledger(level("A", **{name: 5})), recounted(A=A), "london")
        assert len(checked.mismatched) == 1, name


async def test_levels_that_only_one_side_knows_are_mismatches() -> None:
    checked = await check_levels(
        ledger(level("A"), level("B"), level("A", warehouse="paris")),
        recounted(A=A, C=A),
        "london",
    )
    assert checked.checked == 4
    assert [text.split(":")[0] for text in checked.mismatched] == [
        "A|paris",
        "B|london",
        "C|london",
    ]


def episode(rule: str, sku: str) -> Episode:
    return Episode("id", 1, rule, sku, "london", is_resolved=True)


def test_alerted_skus_are_compared_by_rule() -> None:
    expected = recounted(OUT=A, LOW=Level(30, 0, 0, 0, 10), FULL=Level(30, 0, 0, 0, 30))
    episodes = [
        episode("stock-out", "OUT"),
        episode("stock-out", "OUT"),
        episode("below-20", "OUT"),
        episode("below-20", "FULL"),
        episode("three-days-left", "FULL"),
    ]
    subjects = check_subjects(episodes, expected, DECLARATION)
    assert (subjects.alerted, subjects.expected) == (3, 3)
    assert subjects.differing == (
        "below-20: FULL was alerted, its lowest level was 30",
        "below-20: LOW was not alerted, its lowest level was 10",
    )
    assert reopened(episodes) == 1


def test_the_checked_rules_are_those_that_fire_at_once_on_the_level() -> None:
    assert DECLARATION.checked_rules() == {"stock-out": ("stock_out", 0), "below-20": ("below", 20)}
