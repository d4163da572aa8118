"""Configuration of the notifier beyond what all services share."""

from typing import Annotated

from cryptography.fernet import Fernet
from pydantic import AfterValidator, Field, SecretStr

from shared.sealing import keys_of
from shared.settings import Settings


class NotifierSettings(Settings):
    """Environment variables, prefix `LOWTIDE_`."""

    public_url: str | None = None
    """Where `serve` can be reached from people's mail; without it mails have no links to act by."""

    notifier_keep_days: Annotated[int, Field(ge=30)] = 400
    """Days for which deliveries can be asked for after their episodes have ended, until `forget`
    runs: a year, and what is late; and longer than the broker keeps what may be read once more."""

    notifier_forget_daily: bool = False
    """Whether `send` runs `forget` by itself, once a day."""


_MAKE_ONE = (
    'make one with: python -c "from cryptography.fernet import Fernet; '
    'print(Fernet.generate_key().decode())"'
)


def _fernet_keys(value: SecretStr) -> SecretStr:
    if not value.get_secret_value():
        raise ValueError(f"is not set; {_MAKE_ONE}")
    for key in keys_of(value):
        try:
            Fernet(key)
        except ValueError:
            # Its own words would have parts of the key among them.
            raise ValueError(f"is not a Fernet key, or several with commas; {_MAKE_ONE}") from None
    return value


class SecretSettings(NotifierSettings):
    """Of the roles that seal and open secrets: `send` and `serve`."""

    secret_key: Annotated[SecretStr, AfterValidator(_fernet_keys), Field(validate_default=True)] = (
        SecretStr("")
    )
    """Fernet keys, comma separated: the first one seals, all open."""
