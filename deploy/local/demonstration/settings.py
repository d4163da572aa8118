"""What the demonstration is told: where Lowtide and its stand-ins are, and a real group's key."""

from pydantic import SecretStr
from pydantic_settings import SettingsConfigDict

from deploy.local.instance import REPOSITORY
from shared.settings import Settings


class DemonstrationSettings(Settings):
    """Read from the environment, and from `.env` in the repository for the operator's own keys."""

    model_config = SettingsConfigDict(
        env_prefix="LOWTIDE_", env_file=REPOSITORY / ".env", extra="ignore"
    )

    standin_url: str = "http://127.0.0.1:8190"
    """The stand-in for WeCom."""
    standin_smtp_port: int = 8191
    """The stand-in mailbox takes mail here, on the same host."""
    wecom_key: SecretStr | None = None
    """A real group bot's key: alerts go to that group instead of the stand-in's."""

    demonstration_seed: int = 20_261
    """Another seed tells another story."""
