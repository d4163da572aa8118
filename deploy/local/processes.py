"""Every process beside broker and database, in the order of the way a change takes.

`make run` uses the fixed ports; every other instance picks free ones.
"""

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Literal

from shared.http.auth import Scope


@dataclass(frozen=True)
class Process:
    """One command of the stack: `python -m <module> <arguments>`.

    It reads its settings from the environment (`shared.settings`) and answers `/readyz` on
    `port`; without `probed` it is ready as soon as it lives. `scopes` are those of the token it
    calls services with, `secrets` name those of the instance's credentials that it is told, and
    `further_ports` maps names of variables to more ports that it listens on.
    """

    name: str
    module: str
    arguments: tuple[str, ...]
    port: int
    database_user: str | None = None
    scopes: tuple[Scope, ...] = ()
    secrets: tuple[Literal["secret_key", "console_secret"], ...] = ()
    probed: bool = True
    further_ports: dict[str, int] = field(default_factory=dict)

    @property
    def exists(self) -> bool:
        """Whether its module can be found."""
        try:
            return find_spec(f"{self.module}.__main__") is not None
        except ModuleNotFoundError:
            return False


def _role(service: str, role: str, port: int, *scopes: Scope) -> Process:
    return Process(
        name=f"{service}-{role}",
        module=f"services.{service}",
        arguments=(role,),
        port=port,
        database_user=service,
        scopes=scopes,
        secrets=("secret_key",),
    )


CONSOLE = Process(
    name="console-serve",
    module="services.console",
    arguments=("serve",),
    port=8100,
    scopes=tuple(Scope),
    secrets=("console_secret",),
)

ROLES = (
    _role("ingest", "serve", 8101),
    _role("ingest", "consume", 8116),
    _role("ledger", "consume", 8111),
    _role("ledger", "serve", 8102),
    _role("alerting", "consume", 8112),
    _role("alerting", "serve", 8103),
    _role("alerting", "tick", 8113, Scope.EVENTS_WRITE),
    _role("notifier", "consume", 8114),
    _role("notifier", "serve", 8104),
    _role("notifier", "send", 8115),
    CONSOLE,
)
"""Every service role."""

STAND_IN_SMTP = "LOWTIDE_SMTP_PORT"

MAILBOX = "buyers-mail"
"""The demonstration's e-mail destination; orders go to suppliers through it as well."""

STAND_IN = Process(
    name="standin",
    module="deploy.local.standin",
    arguments=(),
    port=8190,
    further_ports={STAND_IN_SMTP: 8191},
)
"""A WeCom and a mailbox for the demonstration."""

DEMONSTRATION = Process(
    name="demonstration",
    module="deploy.local.demonstration",
    arguments=(),
    port=0,
    scopes=tuple(Scope),
    probed=False,
)
"""The simulated shops; started when everything else is ready."""

BROKER_PORT, CONTROLLER_PORT, DATABASE_PORT = 19092, 19093, 15432
