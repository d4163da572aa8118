"""What a benchmark says: progress on stderr, and one JSON object as the last line of stdout."""

import json
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import psutil

from deploy.local.instance import REPOSITORY

Values = dict[str, float]


def tell(text: str) -> None:
    """Say how far it has come."""
    print(text, file=sys.stderr, flush=True)


def last_line(
    name: str, figures: Sequence[Values], ratios: Sequence[Values], *, short: bool
) -> str:
    """Return the JSON object of a benchmark: medians over repetitions, spread where there is one.

    `figures` and `ratios` have one mapping per repetition. A short run is marked: it shows that
    the benchmark works, and its values mean nothing.
    """
    result: dict[str, object] = {
        "name": name,
        "commit": _commit(),
        "machine": _machine(),
        "figures": _medians(figures),
        "ratios": _medians(ratios),
    }
    if short:
        result["short"] = True
    if len(figures) > 1:
        result["repetitions"] = len(figures)
        result["spread"] = {
            key: [_rounded(min(values)), _rounded(max(values))]
            for key, values in (_by_key(figures) | _by_key(ratios)).items()
        }
    return json.dumps(result)


def _medians(repetitions: Sequence[Values]) -> Values:
    return {key: _rounded(median(values)) for key, values in _by_key(repetitions).items()}


def _by_key(repetitions: Sequence[Values]) -> dict[str, list[float]]:
    return {key: [each[key] for each in repetitions] for each in repetitions[:1] for key in each}


def _rounded(value: float) -> float:
    if abs(value) >= 1_000:
        return round(value)
    return round(value, 1 if abs(value) >= 100 else 3)


def _commit() -> str:
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    return described.stdout.strip() or "unknown"


def _machine() -> Mapping[str, object]:
    return {
        "cpu": _cpu_model(),
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line)
    return next(models, platform.machine())
