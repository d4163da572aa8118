from services.ingest.domain.codes import (
    IGNORED,
    Action,
    Changes,
    Codes,
    Kind,
    Mapping,
    SkuSpellings,
)


def codes(*skus: SkuSpellings, mappings: tuple[Mapping, ...] = ()) -> Codes:
    known = Codes()
    known.apply(Changes(1, ["shop", "till"], ["main"], skus, mappings))
    return known


def mapping(external: str, target: str | None, action: Action = Action.MAP) -> Mapping:
    return Mapping("shop", Kind.SKU, external, action, target)


def test_a_skus_own_code_comes_before_a_mapping_and_a_mapping_before_an_alias() -> None:
    known = codes(
        SkuSpellings("A", ("x", "y")),
        SkuSpellings("B", ()),
        mappings=(mapping("x", "B"), mapping("A", "B")),
    )
    assert known.sku("shop", "A") == "A"
    assert known.sku("shop", "x") == "B"
    assert known.sku("shop", "y") == "A"


def test_a_mapping_counts_for_its_channel_alone() -> None:
    known = codes(
        SkuSpellings("A", ()), mappings=(mapping("x", "A"), mapping("P", None, Action.IGNORE))
    )
    assert known.sku("shop", "P") is IGNORED
    assert known.sku("till", "P") is None
    assert known.sku("till", "x") is None


def test_codes_are_exact_in_letter_case_and_spaces() -> None:
    known = codes(SkuSpellings("85123A", ("85123a",)))
    assert known.sku("shop", "85123a") == "85123A"
    assert known.sku("shop", "85123A ") is None
    assert known.warehouse("shop", "Main") is None


def test_an_alias_may_move_from_one_sku_to_another_in_one_change() -> None:
    known = codes(SkuSpellings("A", ("x",)), SkuSpellings("B", ()))
    for changed in (
        (SkuSpellings("A", ()), SkuSpellings("B", ("x",))),
        (SkuSpellings("B", ()), SkuSpellings("A", ("x",))),
    ):
        known.apply(Changes(known.version + 1, skus=changed))
        assert known.sku("shop", "x") == changed[1].sku


def test_a_removed_alias_or_mapping_is_unknown_again() -> None:
    known = codes(SkuSpellings("A", ("x",)), mappings=(mapping("y", "A"),))
    known.apply(
        Changes(2, skus=[SkuSpellings("A", ())], mappings=[mapping("y", None, Action.REMOVE)])
    )
    assert known.sku("shop", "x") is None
    assert known.sku("shop", "y") is None
    assert known.sku("shop", "A") == "A"


def test_taking_the_same_changes_over_again_changes_nothing() -> None:
    changes = Changes(1, ["shop"], ["main"], [SkuSpellings("A", ("x",))], [mapping("y", "A")])
    known = Codes()
    known.apply(changes)
    once = repr(known)
    known.apply(changes)
    assert repr(known) == once
