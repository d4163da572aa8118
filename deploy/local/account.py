"""Which user the database server runs as: ourselves, or an unprivileged one when we are root.

PostgreSQL refuses to run as root. Its files then belong to `nobody`, and where a parent folder
is closed to others (a checkout below /root or a mode-0700 temporary folder), the server gets
the one capability that lets it pass, `CAP_DAC_OVERRIDE`, by util-linux's `setpriv`.
"""

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

NOBODY = "nobody"


class AccountError(RuntimeError):
    """The server cannot run as an unprivileged user here."""


@dataclass(frozen=True)
class Account:
    """How to start a process: as `user` and `group` (None: as ourselves), behind `prefix`."""

    user: int | None = None
    group: int | None = None
    prefix: tuple[str, ...] = ()

    def own(self, path: Path) -> None:
        """Give it a file or folder."""
        if self.user is not None and self.group is not None:
            os.chown(path, self.user, self.group)


def server_account(*needed: Path) -> Account:
    """Return the account for a server that reads every one of the `needed` paths.

    Raises AccountError, saying what to do, when there is none.
    """
    if os.geteuid() != 0:
        return Account()
    try:
        entry = pwd.getpwnam(NOBODY)
    except KeyError:
        raise AccountError(
            "PostgreSQL does not run as root and there is no user `nobody`: "
            "start this as an ordinary user"
        ) from None
    if all(_others_may_enter(parent) for path in needed for parent in path.resolve().parents):
        return Account(entry.pw_uid, entry.pw_gid)
    prefix = _with_passage(entry.pw_uid, entry.pw_gid)
    if prefix is None:
        closed = next(
            parent
            for path in needed
            for parent in path.resolve().parents
            if not _others_may_enter(parent)
        )
        raise AccountError(
            f"PostgreSQL does not run as root, and `{NOBODY}` cannot enter {closed}: start this "
            f"as an ordinary user, run `chmod o+x {closed}`, or set LOWTIDE_HOME to an open folder"
        )
    # The capability belongs to the process, so setpriv itself changes the user.
    return Account(None, None, prefix) if prefix else Account(entry.pw_uid, entry.pw_gid)


def _others_may_enter(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_IXOTH)


def _with_passage(user: int, group: int) -> tuple[str, ...] | None:
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return None
    prefix = (
        setpriv,
        f"--reuid={user}",
        f"--regid={group}",
        "--clear-groups",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
    )
    allowed = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    return prefix if allowed.returncode == 0 else None
