"""Where alerting says that something is named."""

from services.console.domain.named_places import Place, place_of


def test_a_place_is_a_kind_and_which_of_it() -> None:
    assert [
        place_of(said)
        for said in (
            "the table of responsibilities",
            "row 0 of the table of responsibilities",
            "open alerts",
            "open alerts that follow quick",
            "rule low stock",
            "the moon",
        )
    ] == [
        Place("table"),
        Place("row", "1"),
        Place("alerts"),
        Place("followed", "quick"),
        Place("rule", "low stock"),
        Place("other", "the moon"),
    ]
