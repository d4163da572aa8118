"""The logs of all processes as one stream, each line with its process's name in front."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

LOOK_S = 0.2
READ_BYTES = 256 * 1024
COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
RESET = "\x1b[0m"


class LogStream:
    """Prints what is appended to log files from now on; coloured when `out` is a terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._coloured = out.isatty()
        self._files: dict[str, Path] = {}
        self._read: dict[str, int] = {}
        self._rest: dict[str, bytes] = {}

    def add(self, files: Mapping[str, Path]) -> None:
        """Follow more files (name → path), each from its present end."""
        for name, path in files.items():
            self._files[name] = path
            self._read[name] = path.stat().st_size if path.exists() else 0
            self._rest[name] = b""

    def line(self, name: str, text: str) -> None:
        """Print one line under a name."""
        width = max(map(len, (*self._files, name)))
        front = f"{name:<{width}} │"
        if self._coloured:
            colour = COLOURS[sum(name.encode()) % len(COLOURS)]
            front = f"\x1b[{colour}m{front}{RESET}"
        self._out.write(f"{front} {text}\n")

    async def follow(self) -> None:
        """Print until cancelled."""
        try:
            while True:
                self.print_new()
                await asyncio.sleep(LOOK_S)
        finally:
            self.print_new()

    def print_new(self) -> None:
        """Print the whole lines that were appended since the last look."""
        for name in self._files:
            *lines, self._rest[name] = (self._rest[name] + self._appended(name)).split(b"\n")
            for line in lines:
                self.line(name, line.decode("utf-8", "replace"))
        self._out.flush()

    def _appended(self, name: str) -> bytes:
        try:
            with self._files[name].open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size < self._read[name]:  # it outgrew its limit and was emptied
                    self._read[name] = 0
                file.seek(self._read[name])
                content = file.read(READ_BYTES)
        except FileNotFoundError:
            return b""
        self._read[name] += len(content)
        return content
