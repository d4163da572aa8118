from deploy.local.replays.catalogue import Catalogue
from deploy.local.replays.declaration import load
from deploy.local.replays.mapping import map_lines
from deploy.local.replays.source import Line
from tests.unit.deploy.local.replays.files import correction, line


def catalogue_of(*lines: Line) -> Catalogue:
    catalogue = Catalogue()
    declaration = load("uci_online_retail")
    for _ in catalogue.watch(map_lines(catalogue.watch_names(lines), declaration)):
        pass
    return catalogue


def test_other_letter_cases_are_aliases_of_the_folded_code() -> None:
    assert catalogue_of(line(code="85123a"), line(code="85123A"), line(code="15056bl")).skus() == [
        {"sku": "15056BL", "name": "WHITE HANGING HEART", "aliases": ["15056bl"]},
        {"sku": "85123A", "name": "WHITE HANGING HEART", "aliases": ["85123a"]},
    ]


def test_a_sku_is_named_by_its_first_paid_line() -> None:
    lines = (
        correction("A1", -3, "thrown away", "2010-12-01 09:00"),
        line(code="A1", description=" MUG "),
        line(code="A1", description="OTHER MUG"),
        correction("NEVER", 3, "found", "2010-12-01 09:00"),
    )
    names = {item["sku"]: item["name"] for item in catalogue_of(*lines).skus()}
    assert names == {"A1": "MUG", "NEVER": "NEVER"}


def test_charges_are_mapped_to_ignore_in_every_spelling_of_the_file() -> None:
    catalogue = catalogue_of(line(code="M"), line(code="m"), line(code="POST"), line(code="A1"))
    assert [item["external"] for item in catalogue.ignored()] == ["M", "POST", "m"]
    assert {item["action"] for item in catalogue.ignored()} == {"ignore"}
    assert [item["sku"] for item in catalogue.skus()] == ["A1"]
