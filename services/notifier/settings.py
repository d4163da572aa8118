"""Configuration of the notifier beyond what all services share."""

from typing import Annotated

from pydantic import Field, SecretStr

from shared.errors import LowtideError
from shared.settings import Settings


class NotSet(LowtideError):  # noqa: N818 - a state, not a mistake
    """A setting without which this role cannot work is missing."""


class NotifierSettings(Settings):
    """Environment variables, prefix `LOWTIDE_`."""

    public_url: str | None = None
    """Where `serve` can be reached from people's mail; without it mails have no links to act by."""

    notifier_keep_days: Annotated[int, Field(ge=30)] = 400
    """Days for which deliveries can be asked for after their episodes have ended, until `forget`
    runs: a year, and what is late; and longer than the broker keeps what may be read once more."""

    notifier_forget_daily: bool = False
    """Whether `send` runs `forget` by itself, once a day."""

    def required_secret_key(self) -> SecretStr:
        """Return the key for secrets at rest. Raises NotSet."""
        if self.secret_key is None:
            raise NotSet(
                "LOWTIDE_SECRET_KEY is not set; make one with: python -c "
                '"from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
            )
        return self.secret_key
