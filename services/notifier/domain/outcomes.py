"""What became of an attempt, and what follows from it for the delivery."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from services.notifier.domain.deliveries import Delivery, Kind, Reason, Recipients, State


class Verdict(StrEnum):
    """What the other side did with an attempt."""

    ACCEPTED = "accepted"
    TRANSIENT = "transient"
    """Certainly not accepted; another attempt makes sense."""
    PERMANENT = "permanent"
    """Certainly not accepted, and never will be as it stands."""
    UNKNOWN = "unknown"
    """It may have been accepted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An attempt's end.

    `code` is the vendor's (an errcode, an HTTP status, an SMTP code) or our word for what
    happened; `detail` says it to a person and never holds a secret. `retry_after` is the least
    wait before another attempt of this delivery. `lane_wait` is the least wait before any message
    there, None when the destination as such is well. `recipients` is how far an e-mail has come.
    `gone` says that the destination wants nothing any more. `receipt` is what the vendor calls the
    message that it has accepted.
    """

    verdict: Verdict
    code: str
    detail: str
    retry_after: timedelta = timedelta()
    lane_wait: timedelta | None = None
    recipients: Recipients | None = None
    gone: bool = False
    receipt: str | None = None


_UNREADABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


def legible(said: str) -> str:
    """Return what a server said in a form that can be stored and shown: one line, no surprises."""
    return _UNREADABLE.sub(" ", said)[:200].strip()


def of_errcode(errcode: int, errmsg: str, passing: Mapping[int, timedelta]) -> Outcome:
    """Judge an answer by its errcode alone; errmsg is only passed on.

    `passing` are the codes of failures that pass, and how long nothing should go there then. One
    that the vendor does not list as passing is permanent: it ends loudly as a dead delivery with
    a notice elsewhere, rather than being repeated for a day in silence.
    """
    if errcode == 0:
        return Outcome(Verdict.ACCEPTED, "0", "ok")
    detail = f"errcode {errcode}: {errmsg}"
    if (wait := passing.get(errcode)) is not None:
        return Outcome(Verdict.TRANSIENT, str(errcode), detail, wait, wait)
    return Outcome(Verdict.PERMANENT, str(errcode), detail)


_BACKOFF_SECONDS = (0.3, 1, 4, 15, 60, 300, 900, 1800, 3600)
GIVES_UP_AFTER = timedelta(hours=24)
"""A passing failure that lasts for a day is not passing."""

_LANE_PAUSE_SECONDS = (0.3, 1, 2, 5, 10, 30, 60)


def backoff(attempts: int, jitter: float) -> timedelta:
    """Return the wait before the next attempt; `jitter` in [0, 1) spreads it by up to a quarter."""
    seconds = _BACKOFF_SECONDS[min(attempts, len(_BACKOFF_SECONDS)) - 1]
    return timedelta(seconds=seconds * (1 + jitter / 4))


def lane_pause(failures: int, jitter: float) -> timedelta:
    """Return how long a destination is left alone after so many failures in a row."""
    seconds = _LANE_PAUSE_SECONDS[min(failures, len(_LANE_PAUSE_SECONDS)) - 1]
    return timedelta(seconds=seconds * (1 + jitter / 4))


@dataclass(frozen=True, slots=True)
class Settlement:
    """A delivery's next state; `next_at` only with `failed`."""

    state: State
    duplicate_possible: bool
    recipients: Recipients | None
    reason: str | None = None
    next_at: datetime | None = None


def settle(
    delivery: Delivery,
    outcome: Outcome,
    *,
    recognises_repeats: bool,
    changes_posted: bool = False,
    gives_up_at: datetime,
    now: datetime,
    jitter: float,
) -> Settlement:
    """Return what becomes of a delivery after an attempt of it.

    Where a repeat is recognised, what may have been accepted is as good as what was not: it is
    sent again, whatever it is, and needs no mark. `changes_posted`: it is shown on messages that
    are there as well, which is done again without harm, and alone.
    """
    verdict = outcome.verdict
    if verdict is Verdict.UNKNOWN and recognises_repeats:
        verdict = Verdict.TRANSIENT
    recipients = outcome.recipients or delivery.recipients

    def settled(state: State, reason: str | None, next_at: datetime | None = None) -> Settlement:
        return Settlement(state, delivery.duplicate_possible, recipients, reason, next_at)

    match verdict:
        case Verdict.ACCEPTED:
            refused = recipients.refused if recipients else ()
            some = f"{Reason.SOME_RECIPIENTS_REFUSED}: {', '.join(refused)}"
            return settled(State.SENT, some if refused else None)
        case Verdict.PERMANENT:
            return settled(State.DEAD, f"{Reason.REFUSED}: {outcome.detail}")
        case Verdict.TRANSIENT:
            came_on = _left(recipients) < _left(delivery.recipients)
            tries = 1 if came_on else delivery.attempts - delivery.tried_before
            next_at = now + max(outcome.retry_after, backoff(tries, jitter))
            if next_at > gives_up_at:
                return settled(State.DEAD, f"{Reason.GAVE_UP}: {outcome.detail}")
            return settled(State.FAILED, outcome.detail, next_at)
        case Verdict.UNKNOWN:
            again = deserves_repeat(delivery) or changes_posted
            return _settle_unknown(delivery, outcome, recipients, now, again=again)
        case _:
            assert_never(verdict)


def _left(recipients: Recipients | None) -> int:
    """Return how many are left, as far as they are known by name."""
    return 0 if recipients is None else len(recipients.left)


def _settle_unknown(
    delivery: Delivery,
    outcome: Outcome,
    recipients: Recipients | None,
    now: datetime,
    *,
    again: bool,
) -> Settlement:
    """Resolve what may have arrived, for vendors that cannot recognise a repeat.

    A first notice or an escalation (or a digest with one) is sent once more, marked as a possible
    duplicate: an alert lost is worse than one read twice. A change is not: the next one tells all
    of it.
    Recipients whom the message certainly has not reached are tried again in any case.
    """
    reason = f"{Reason.OUTCOME_UNKNOWN}: {outcome.detail}"
    next_at = now + outcome.retry_after
    marked = delivery.duplicate_possible
    if again and not marked:
        if recipients is not None:
            left = recipients.left + recipients.in_doubt
            recipients = replace(recipients, left=left, in_doubt=())
        return Settlement(State.FAILED, True, recipients, reason, next_at)
    if recipients is not None and recipients.left:
        return Settlement(State.FAILED, marked, recipients, reason, next_at)
    ended = State.DEAD if deserves_repeat(delivery) else State.SUPPRESSED
    return Settlement(ended, marked, recipients, reason)


def deserves_repeat(delivery: Delivery) -> bool:
    """Return whether a delivery of unknown outcome is sent once more."""
    match delivery.kind:
        case Kind.FIRST | Kind.ESCALATION | Kind.META | Kind.REPORT | Kind.ORDER:
            return True
        case Kind.DIGEST:
            return delivery.has_first
        case Kind.CHANGE | Kind.TEST:
            return False
        case _:
            assert_never(delivery.kind)


def interrupted(before: Recipients | None) -> Outcome:
    """Return the outcome of an attempt whose sender ended before it could note one."""
    recipients = before and replace(before, left=(), in_doubt=before.in_doubt + before.left)
    return Outcome(
        Verdict.UNKNOWN,
        "interrupted",
        "the sender ended during the attempt",
        recipients=recipients,
    )
