from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from deploy.local.__main__ import sign_in_link
from deploy.local.credentials import Credentials
from deploy.local.instance import Instance
from services.console.domain.sign_in import Codes
from shared.clock import WallClock
from shared.database import provision


def test_a_link_signs_in_at_the_console_of_the_same_instance_once(tmp_path: Path) -> None:
    instance = Instance("run", tmp_path / "run")
    clock = WallClock()
    started_at = clock.now() - timedelta(seconds=1)

    link = urlsplit(sign_in_link(instance))

    assert (link.netloc, link.path) == ("127.0.0.1:8100", "/sign-in")
    (code,) = parse_qs(link.query)["code"]
    secret = Credentials.of(instance.run_folder, provision.SERVICES).console_secret
    desk = Codes(secret, started_at)
    assert desk.redeem(code, clock.now())
    assert not desk.redeem(code, clock.now())
