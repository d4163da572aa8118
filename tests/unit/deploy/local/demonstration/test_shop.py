"""The simulated shops: a story that tells itself the same way again, and stays calm."""

from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from deploy.local.demonstration.assortment import ARTICLES, WAREHOUSES, ZONE
from deploy.local.demonstration.habits import HABITS
from deploy.local.demonstration.shop import (
    RECOUNT_AFTER_SECONDS,
    WRONG_COUNT,
    WRONG_COUNT_AFTER_SECONDS,
    Shop,
    opening_units,
)
from deploy.local.demonstration.telling import CHANNELS, POS, Event, Place, Post, till_is_offline

START = datetime(2026, 3, 2, 2, 15, tzinfo=UTC)  # a quarter past ten in the shops
SEED = 7
WATCH, CALM = 20, 30


def opening() -> dict[Place, int]:
    return {
        (article.sku, warehouse.id): opening_units(article, warehouse, SEED)
        for article in ARTICLES
        for warehouse in WAREHOUSES
    }


def shop(shelves: dict[Place, int] | None = None, *, start: datetime = START) -> Shop:
    return Shop(
        ARTICLES,
        opening() if shelves is None else shelves,
        start=start,
        run=f"{start:%y%m%d%H%M%S}",
        seed=SEED,
        zone=ZONE,
    )


def told(shops: Shop, seconds: int, *, start: datetime = START) -> list[Post]:
    posts: list[Post] = []
    for second in range(1, seconds + 1):
        posts += shops.step(start + timedelta(seconds=second))
    return posts


def events(posts: list[Post]) -> list[Event]:
    return [event for post in posts for event in post.events]


def test_the_same_start_tells_the_same_story() -> None:
    assert told(shop(), 300) == told(shop(), 300)


@pytest.mark.parametrize("hour", [3, 10, 20])
@pytest.mark.parametrize("share", [1.0, 0.6, 0.3])
def test_a_shelf_falls_below_the_watch_limit_within_half_a_minute(hour: int, share: float) -> None:
    start = START.replace(hour=hour)
    shelves = {place: int(units * share) for place, units in opening().items()}
    shops = shop(shelves, start=start)
    above = {place for place, units in shelves.items() if units >= CALM}
    told(shops, 30, start=start)
    assert [place for place in above if shops.shelves[place] < WATCH]


def test_so_it_does_whoever_happens_to_buy() -> None:
    starts = [START.replace(hour=3) + timedelta(seconds=each) for each in range(60)]
    late = []
    for start in starts:
        shops = shop(start=start)
        told(shops, 30, start=start)
        if min(shops.shelves.values()) >= WATCH:
            late.append(start)
    assert late == []


def test_an_identity_comes_again_only_as_the_same_event() -> None:
    by_identity: defaultdict[tuple[object, object], list[Event]] = defaultdict(list)
    for event in events(told(shop(), 900)):
        by_identity[event["channel"], event["id"]].append(event)
    repeats = [some for some in by_identity.values() if len(some) > 1]
    assert len(repeats) > 10
    assert all(event == some[0] for some in repeats for event in some)


def test_two_runs_share_no_identity() -> None:
    later = START + timedelta(hours=2)
    first = {event["id"] for event in events(told(shop(), 120))}
    second = {event["id"] for event in events(told(shop(start=later), 120, start=later))}
    assert not first & second


def test_one_shelf_is_counted_wrongly_and_then_rightly() -> None:
    shops = shop()
    counts: list[Event] = []
    truth: dict[Place, int] = {}
    for second in range(1, 400):
        posts = shops.step(START + timedelta(seconds=second))
        counts += [event for event in events(posts) if event["type"] == "count"]
        if second == int(RECOUNT_AFTER_SECONDS):
            truth = dict(shops.shelves)
    wrong, right = sorted({str(event["id"]): event for event in counts}.values(), key=_when)
    sku = next(article.sku for article in ARTICLES if article.barcode == wrong["sku"])
    assert wrong["quantity"] == WRONG_COUNT
    assert wrong["sku"] == right["sku"]
    assert right["quantity"] == truth[sku, "shanghai-store"] > CALM
    assert _when(wrong) == (START + timedelta(seconds=WRONG_COUNT_AFTER_SECONDS)).isoformat()


def test_what_the_till_sold_without_network_arrives_late() -> None:
    shops = shop()
    late: list[timedelta] = []
    for second in range(1, 300):
        now = START + timedelta(seconds=second)
        posts = [post for post in shops.step(now) if post.channel == POS]
        if till_is_offline(second):
            assert not posts
        late += [now - datetime.fromisoformat(_when(event)) for event in events(posts)]
    assert max(late) > timedelta(seconds=40)
    assert sum(delay < timedelta(seconds=2) for delay in late) > len(late) / 2


def test_every_channel_speaks_in_its_own_words() -> None:
    words: defaultdict[object, Counter[str]] = defaultdict(Counter)
    for event in events(told(shop(), 300)):
        words[event["channel"]][f"{event['sku']} {event['warehouse']}"] += 1
    assert set(words) == set(CHANNELS)
    assert any("STORE-021" in spelling and spelling.startswith("690") for spelling in words["pos"])
    assert any("CN-HGH-01" in spelling for spelling in words["marketplace"])
    assert any(spelling.startswith("OAT-1L ") for spelling in words["web"])


def test_shelves_are_refilled_and_the_board_stays_calm_for_two_hours() -> None:
    shops = shop()
    low: set[Place] = set()
    episodes = 0
    kinds: Counter[object] = Counter()
    for second in range(1, 7200):
        kinds.update(event["type"] for event in events(shops.step(_after(second))))
        for place, units in shops.shelves.items():
            assert units >= 0
            if units < WATCH and place not in low:
                episodes += 1
                low.add(place)
            elif units >= CALM:
                low.discard(place)
    assert 60 < episodes < 240
    assert set(kinds) == {"sale", "return", "receipt", "adjustment", "count"}
    assert 2 < kinds["sale"] / 7200 < 8


def test_a_long_absence_is_not_caught_up_in_full() -> None:
    shops = shop()
    shops.step(_after(1))
    burst = events(shops.step(_after(3600)))
    assert 0 < len(burst) < 2000


def test_an_empty_company_can_open_too() -> None:
    assert told(shop(dict.fromkeys(opening(), 0)), 600)


def test_opening_stock_is_above_the_point_of_reordering() -> None:
    shelves = opening()
    for article in ARTICLES:
        for warehouse in WAREHOUSES:
            assert shelves[article.sku, warehouse.id] > HABITS[article.pace].reorder_at


def test_barcodes_are_valid_and_no_code_means_two_things() -> None:
    for article in ARTICLES:
        digits = [int(digit) for digit in article.barcode]
        assert len(digits) == 13
        assert (sum(digits[::2]) + 3 * sum(digits[1::2])) % 10 == 0
    codes = [
        code
        for article in ARTICLES
        for code in (article.sku, article.barcode, article.marketplace_code)
    ]
    assert len(set(codes)) == 3 * len(ARTICLES) == 180


def _after(seconds: int) -> datetime:
    return START + timedelta(seconds=seconds)


def _when(event: Event) -> str:
    return str(event["occurred_at"])
