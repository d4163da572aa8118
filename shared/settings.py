"""Configuration that every process reads, from the environment alone (prefix `LOWTIDE_`)."""

import sys
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.sealing import keys_of

PREFIX = "LOWTIDE_"


def _no_empty_key(value: SecretStr) -> SecretStr:
    keys_of(value)
    return value


class Settings(BaseSettings):
    """What all services share; each extends it in its own `settings.py`."""

    # What is wrong is told without the values beside it: secrets are among them.
    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", hide_input_in_errors=True)

    kafka: str = "127.0.0.1:19092"
    """Bootstrap servers, comma separated."""
    topic_prefix: str = ""
    """Put before every topic and group name; a replay or a test has its own."""
    database_url: SecretStr = SecretStr("postgresql://127.0.0.1:15432/lowtide")
    """With the service's own user; `postgresql://user:password@host:port/database`."""
    database_pool: int = 8
    """Connections at the most, for the roles that answer HTTP."""

    host: str = "127.0.0.1"
    port: int = 0
    """Where this process answers HTTP: its API, or only probes and metrics for consumers."""

    jwks_file: Path | None = None
    jwks_url: str | None = None
    """Public keys that tokens are checked against; the file wins."""
    secret_key: Annotated[SecretStr, AfterValidator(_no_empty_key)] | None = None
    """Fernet keys for secrets at rest and links, comma separated: the first one is used for what is
    made, all for what is read."""
    service_token: SecretStr | None = None
    """The bearer token of this process when it calls another service."""

    ingest_url: str = "http://127.0.0.1:8101"
    ledger_url: str = "http://127.0.0.1:8102"
    alerting_url: str = "http://127.0.0.1:8103"
    notifier_url: str = "http://127.0.0.1:8104"
    console_url: str = "http://127.0.0.1:8100"
    """What links in messages point to."""

    instance: str | None = None
    """This process among its like (`0`, `1`, …): a restart takes its partitions back at once
    instead of waiting for the group to give it up."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "plain"] = "json"


_Settings = TypeVar("_Settings", bound=Settings)


def from_environment(kind: type[_Settings]) -> _Settings:
    """Return a process's settings; where a variable is wrong, say so and exit with 2."""
    try:
        return kind()
    except ValidationError as error:
        for fault in error.errors(include_url=False, include_input=False):
            name = PREFIX + "_".join(map(str, fault["loc"])).upper()
            sys.stderr.write(f"{name}: {_what_is_wrong(fault)}\n")
    sys.exit(2)


def _what_is_wrong(fault: ErrorDetails) -> str:
    match fault["type"]:
        case "missing":
            return "is not set"
        case "too_short":  # a secret, of which pydantic speaks as of a list
            return f"needs {fault['ctx']['min_length']} characters or more"
        case "value_error":
            return str(fault["ctx"]["error"])
        case _:
            return fault["msg"]
