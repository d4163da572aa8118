"""What people call a product, where the catalogue does not say: what its options' names share."""

from collections.abc import Iterable
from itertools import takewhile

_BETWEEN_WORDS = " \u3000-_/|·•,，、;；:：.。(（[【"
_SHORTEST = 2


def shared_name(names: Iterable[str]) -> str | None:
    """Return what all names begin with, in whole words; None where that says too little.

    "Shirt, white, S" and "Shirt, white, M" are a "Shirt, white". Names in which nothing divides
    words, as in Chinese, have to agree in half of their signs at least.
    """
    known = sorted(set(names))
    if len(known) < _SHORTEST:
        return known[0] if known else None
    first, last = known[0], known[-1]  # all between begin as these two do
    alike = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    shared = "".join(sign for sign, _ in alike)
    rest = {name[len(shared) : len(shared) + 1] for name in known}
    if shared[-1:] not in set(_BETWEEN_WORDS) and not rest <= {"", *_BETWEEN_WORDS}:
        words = max(shared.rfind(sign) for sign in _BETWEEN_WORDS)
        if words < 0 and 2 * len(shared) < min(map(len, known)):
            return None
        shared = shared[:words] if words >= 0 else shared
    shared = shared.strip(_BETWEEN_WORDS)
    return shared if len(shared) >= _SHORTEST else None
