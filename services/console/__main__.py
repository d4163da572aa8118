"""`python -m services.console serve | link`."""

import argparse
import asyncio
import secrets

from services.console.domain.sign_in import mint_code
from services.console.settings import ConsoleSettings
from shared.clock import WallClock
from shared.roles import run_role
from shared.settings import from_environment


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m services.console", description=__doc__)
    commands = parser.add_subparsers(dest="role", required=True)
    commands.add_parser("serve", help="answer browsers")
    commands.add_parser("link", help="print a link that signs one person in, once")
    role = parser.parse_args().role
    settings = from_environment(ConsoleSettings)
    if role == "link":
        print(link(settings))
        return

    async def serve_pages(stop: asyncio.Event) -> None:
        # NiceGUI takes a second to import; a link must not wait for it.
        from services.console.serving import serve_console  # noqa: PLC0415

        await serve_console(settings, stop)

    run_role("console", role, settings, serve_pages)


def link(settings: ConsoleSettings) -> str:
    """Return a fresh sign-in link."""
    code = mint_code(
        settings.console_secret.get_secret_value(),
        now=WallClock().now(),
        nonce=secrets.token_urlsafe(16),
    )
    return f"{settings.console_url}/sign-in?code={code}"


if __name__ == "__main__":
    main()
