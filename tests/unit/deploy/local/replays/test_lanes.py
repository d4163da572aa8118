import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

from deploy.local.replays.declaration import load
from deploy.local.replays.lanes import Batch, lay_out
from deploy.local.replays.mapping import map_lines
from deploy.local.replays.source import Line
from deploy.local.replays.supply import Sales, plan_supply
from tests.factories.online_retail import online_retail_lines
from tests.unit.deploy.local.replays.files import line

DECLARATION = load("uci_online_retail")


def laid_out(
    lines: Sequence[Line], lanes: int = 3, span: timedelta | None = None, batch_events: int = 50
) -> list[list[Batch]]:
    sales = Sales()
    return lay_out(
        sales.watch(map_lines(lines, DECLARATION)),
        (supply for supply in plan_supply(sales, DECLARATION)),
        lanes=lanes,
        span=span,
        batch_events=batch_events,
    )


def events(lane: Sequence[Batch]) -> list[dict[str, object]]:
    return [event for batch in lane for event in json.loads(batch.body)]


def test_every_line_opening_and_receipt_is_posted_once() -> None:
    lines = online_retail_lines(800, seed=3)
    lanes = laid_out(lines)
    kinds = [str(event["id"]).split("-")[0] for lane in lanes for event in events(lane)]
    skus = {line.code.upper() for line in lines} - {"POST", "DOT", "M", "C2", "GIFT_0001_20"}
    assert sum(kind not in {"opening", "order"} for kind in kinds) == 800
    assert kinds.count("opening") == len(skus)
    assert sum(batch.events for lane in lanes for batch in lane) == len(kinds)


def test_all_spellings_of_a_sku_share_a_lane_and_are_in_order_of_time() -> None:
    lanes = laid_out(online_retail_lines(800, seed=3), lanes=4)
    lane_of: dict[str, int] = {}
    times: defaultdict[str, list[str]] = defaultdict(list)
    for number, lane in enumerate(lanes):
        for event in events(lane):
            sku = str(event["sku"]).upper()
            assert lane_of.setdefault(sku, number) == number
            times[sku].append(str(event["occurred_at"]))
    assert len(set(lane_of.values())) == 4
    assert all(first <= then for each in times.values() for first, then in pairwise(each))


def test_at_one_instant_the_opening_comes_first_then_the_receipt_then_lines_as_in_the_file() -> (
    None
):
    lanes = laid_out(
        [
            line("1", "A", 50, "2010-12-01 00:00"),
            line("2", "A", 2, "2010-12-16 08:00"),
            line("0", "A", 3, "2010-12-16 08:00"),
        ],
        lanes=1,
    )
    assert [event["id"] for event in events(lanes[0])] == [
        "opening-2010-12-01",
        "1",
        "order-2010-12-06",
        "2",
        "0",
    ]


def test_a_batch_holds_no_more_than_it_may() -> None:
    lanes = laid_out(online_retail_lines(800, seed=3), batch_events=50)
    sizes = [len(json.loads(batch.body)) for lane in lanes for batch in lane]
    assert max(sizes) == 50
    assert sizes == [batch.events for lane in lanes for batch in lane]


def test_a_span_cuts_batches_by_time() -> None:
    lanes = laid_out(online_retail_lines(800, seed=3), span=timedelta(hours=6), batch_events=1_000)
    for lane in lanes:
        for batch in lane:
            times = [str(event["occurred_at"]) for event in json.loads(batch.body)]
            assert max(times) < f"{batch.at + timedelta(hours=6):%Y-%m-%dT%H:%M:%SZ}"


def test_fields_that_say_nothing_are_left_out() -> None:
    (opening, sale) = events(laid_out([line()], lanes=1)[0])
    assert opening["reference"] == "opening-2010-12-01"
    assert "reason" not in sale
    assert "reference" not in sale
