"""What is said in a form is laid over what others have saved since the form was filled."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

Values = dict[str, str]


class Merged(NamedTuple):
    """A form by now: what was said in it, and for the rest what is there."""

    values: Values
    contested: frozenset[str]
    """What somebody else has changed as well, to something else."""


def merged(
    filled: Mapping[str, str],
    said: Mapping[str, str],
    there: Mapping[str, str],
    lists: Collection[str] = (),
) -> Merged:
    """Lay what was said since a form was filled over what is there now.

    Of `lists` (one a line), what was added and what was taken away is laid over.
    """
    values, contested = {}, set()
    for name, now in there.items():
        if name in lists:
            values[name] = _merged_lines(filled[name], said[name], now)
        elif said[name] == filled[name]:
            values[name] = now
        else:
            values[name] = said[name]
            if now not in {filled[name], said[name]}:
                contested.add(name)
    return Merged(values, frozenset(contested))


def same(said: Mapping[str, str], there: Mapping[str, str], lists: Collection[str] = ()) -> bool:
    """Return whether two forms come to the same; of `lists` the order does not matter."""
    return all(
        sorted(said[name].splitlines()) == sorted(now.splitlines())
        if name in lists
        else said[name] == now
        for name, now in there.items()
    )


def _merged_lines(filled: str, said: str, there: str) -> str:
    before, after, now = filled.splitlines(), said.splitlines(), there.splitlines()
    stay = [one for one in now if one in after or one not in before]
    return "\n".join([*stay, *(one for one in after if one not in [*before, *now])])
