"""`python -m deploy.local.demonstration`: three small shops that never close."""

from deploy.local.demonstration.running import Demonstration
from deploy.local.demonstration.settings import DemonstrationSettings
from shared.clock import WallClock
from shared.roles import run_role
from shared.settings import from_environment

if __name__ == "__main__":
    settings = from_environment(DemonstrationSettings)
    run_role("demonstration", "run", settings, Demonstration(settings, WallClock()).run)
