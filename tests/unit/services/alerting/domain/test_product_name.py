"""What people call a product whose name nobody has said."""

import pytest

from services.alerting.domain.product_name import shared_name


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Shirt, white, S", "Shirt, white, M"], "Shirt, white"),
        (["Shirt (S)", "Shirt (M)"], "Shirt"),
        (["Shirt Small", "Shirt Slim"], "Shirt"),
        (["Shirt", "Shirt XL"], "Shirt"),
        (["Shirt-10", "Shirt-12", "Shirt-101"], "Shirt"),
        (["短袖 T恤 白色 S", "短袖 T恤 白色 XL", "短袖 T恤 黑色 S"], "短袖 T恤"),
        (["纯棉T恤红", "纯棉T恤蓝"], "纯棉T恤"),
        (["羊毛衫（大）", "羊毛衫（小）"], "羊毛衫"),
        (["One and only"], "One and only"),
        (["Same", "Same"], "Same"),
        (["Apple", "Apricot"], None),
        (["T-1", "T-2"], None),
        (["Shirt", "Blouse"], None),
        ([], None),
    ],
)
def test_it_is_what_the_names_of_its_options_share(names: list[str], expected: str | None) -> None:
    assert shared_name(names) == expected
