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
    """Who owns the server's files (None: we do), and how its programs are started.

    Either the caller starts them as `start_as`, or the `prefix` command changes the user.
    """

    owner: tuple[int, int] | None = None
    prefix: tuple[str, ...] = ()

    @property
    def start_as(self) -> tuple[int, int] | None:
        """The user and group to start a program as; None: as ourselves."""
        return None if self.prefix else self.owner

    def own(self, path: Path) -> None:
        """Give it a file or folder."""
        if self.owner is not None:
            os.chown(path, *self.owner)


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
        return Account((entry.pw_uid, entry.pw_gid))
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
    return Account((entry.pw_uid, entry.pw_gid), prefix)


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
        # Else access(2), by which initdb looks for its fellows, would disregard the capability.
        "--securebits=+no_setuid_fixup",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
    )
    allowed = subprocess.run([*prefix, "true"], capture_output=True, check=False)
    return prefix if allowed.returncode == 0 else None
