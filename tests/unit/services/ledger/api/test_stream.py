"""Events as they stand on the wire."""

import json

from services.ledger.api.stream import level_event
from shared.events.stock_levels import StockLevel
from tests.contract.test_samples import of_topic, record


def test_a_level_is_one_event_with_a_name_its_data_on_one_line_and_an_id() -> None:
    (path, *_) = of_topic("stock.levels")
    value = record(path).value or b""
    odd = StockLevel.model_validate(json.loads(value) | {"sku": "a\u2028b\u0085c 货"})
    event = level_event(odd, "AbC-_1").decode()
    head, data, position, *rest = event.split("\n")
    assert (head, position, rest) == ("event: level", "id: AbC-_1", ["", ""])
    said = json.loads(data.removeprefix("data: "))
    assert said["sku"] == odd.sku
    assert said.keys() == StockLevel.model_fields.keys() - {"v", "low_water", "corrected"}
