"""Configuration of the console."""

from pydantic import SecretStr

from shared.settings import Settings


class ConsoleSettings(Settings):
    """What only the console reads."""

    console_secret: SecretStr
    """Signs sign-in codes and sessions; 32 random bytes or more, as text."""
    standin_url: str | None = None
    """The demonstration's stand-in WeCom and mailbox; with it there is an inbox page."""
