"""How hard the tests search that choose their cases themselves."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class Depth(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="LOWTIDE_", extra="ignore")

    test_depth: int = 1
    """1 is for every run of the suite; `make faults` searches deeper."""


def examples(ordinary: int) -> int:
    """Return how many examples to try, given how many are enough every day."""
    return ordinary * Depth().test_depth
