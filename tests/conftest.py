"""Fixtures that every test may ask for, and where a test run leaves its files."""

import gc
import os
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import configuration
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.local.instance import home
from shared.http.tokens import ensure_keys

# Helpers say as well what differs.
pytest.register_assert_rewrite(
    *(f"tests.{each.name}" for each in Path(__file__).parent.iterdir() if each.is_dir())
)

pytest_plugins = ["shared.testing.fixtures"]

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
NO_CHROMIUM = "no Chromium was found"
_skipped = pytest.StashKey[int]()


class BrowserSettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="LOWTIDE_", extra="ignore")

    chromium: Path | None = None
    """A browser under another name than those that are looked for."""
    require_browser: bool = False
    """Fail instead of skipping the browser tests when there is none."""


def find_chromium() -> Path | None:
    settings = BrowserSettings()
    if settings.chromium is not None:
        return settings.chromium
    found = (shutil.which(name) for name in CHROMIUM_NAMES)
    return next((Path(path) for path in found if path is not None), None)


@pytest.fixture(scope="session")
def chromium() -> Path:
    """Return the browser's executable, for Playwright's `executable_path`."""
    found = find_chromium()
    if found is None:
        pytest.fail(f"{NO_CHROMIUM}; tests that need one carry the mark `browser`")
    return found


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """Return the private key of tokens; who checks them reads `jwks.json` beside it."""
    ensure_keys(tmp_path / "key.pem", tmp_path / "jwks.json")
    return tmp_path / "key.pem"


def pytest_configure(config: pytest.Config) -> None:
    if BrowserSettings().require_browser and find_chromium() is None:
        raise pytest.UsageError(f"LOWTIDE_REQUIRE_BROWSER is set, but {NO_CHROMIUM}")
    config.stash[_skipped] = 0
    # Told to end, by a time limit say, a run gives back what it has started, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    temporary = home() / "cache" / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    # What tests and hypothesis write belongs into the ignored folder like everything else.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(temporary))  # noqa: TID251 - pytest's own
    # Brokers of tests do not live for long enough to earn what the second compiler costs.
    os.environ.setdefault("LOWTIDE_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")  # noqa: TID251 - theirs
    configuration.set_hypothesis_home_dir(home() / "cache" / "hypothesis")
    config.pluginmanager.register(_Skips(config))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if find_chromium() is None:
        for item in items:
            if item.get_closest_marker("browser") is not None:
                item.add_marker(pytest.mark.skip(reason=NO_CHROMIUM))


def pytest_collection_finish() -> None:
    # Every module and every test is there to stay: each search for garbage would go through them.
    gc.collect()
    gc.freeze()


class _Skips:
    """Counts the tests that went without a browser, in whichever process they were."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped and NO_CHROMIUM in str(report.longrepr):
            self._config.stash[_skipped] += 1


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Keep what failed for whoever makes several runs: `make test` says it again at its end."""
    if hasattr(config, "workerinput"):
        return  # One of several processes, whose reports the one that started them has as well.
    failed = [
        report for kind in ("failed", "error") for report in terminalreporter.stats.get(kind, [])
    ]
    with (home() / "cache" / "failed").open("a") as file:
        for report in failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            message = report.longreprtext if crash is None else crash.message
            file.write(f"{report.nodeid}: {' '.join(message.split())[:400]}\n")


def pytest_unconfigure(config: pytest.Config) -> None:
    skipped = config.stash.get(_skipped, 0)
    if skipped:
        print(  # noqa: T201 - the last line of a test run is for whoever started it
            f"{skipped} browser tests were skipped: {NO_CHROMIUM} "
            "(Debian, Ubuntu: apt-get install chromium fonts-noto-cjk)"
        )
