"""Configuration of the console."""

from typing import Annotated

from pydantic import Field, SecretStr

from shared.settings import Settings


class ConsoleSettings(Settings):
    """What only the console reads."""

    console_secret: Annotated[SecretStr, Field(min_length=32)]
    """Signs sign-in codes and sessions; 32 random bytes or more, as text."""
    standin_url: str | None = None
    """The demonstration's stand-in WeCom and mailbox; with it there is an inbox page."""
