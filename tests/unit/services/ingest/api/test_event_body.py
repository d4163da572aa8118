import json

import pytest

from services.ingest.api.event_body import EXAMPLES, MEANINGS, request_body
from services.ingest.domain.codes import Changes, Codes, SkuSpellings
from services.ingest.domain.decision import decide
from services.ingest.inbound.events import SubmittedEvent, parse
from shared.events.stock_changes import ChangeType


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_accepted_as_it_stands(name: str) -> None:
    codes = Codes()
    codes.apply(Changes(1, ["web"], ["main", "shanghai"], [SkuSpellings("85123A", ())]))
    parsed = parse(json.dumps(EXAMPLES[name]).encode(), lines=False)
    decision = decide(parsed.events, codes)
    assert (parsed.rejected, decision.rejected, decision.unknown) == ([], [], [])
    assert len(decision.accepted) == len(parsed.events) > 0


def test_every_type_has_a_meaning() -> None:
    assert set(MEANINGS) == set(ChangeType)


def test_every_field_of_an_event_is_described_and_nothing_else() -> None:
    text = json.dumps(request_body())
    assert "$ref" not in text
    body = json.loads(text)["requestBody"]["content"]["application/json"]["schema"]["oneOf"][0]
    assert set(body["properties"]) == set(SubmittedEvent.__struct_fields__) - {"v"}
    assert all(field["description"] for field in body["properties"].values())
    assert set(body["required"]) == {"id", "type", "sku", "warehouse", "quantity", "occurred_at"}
