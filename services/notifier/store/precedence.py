"""Conditions on deliveries: what goes by itself, and what has to wait for what."""


def in_doubt(delivery: str) -> str:
    """Return a condition on a delivery: it may have arrived, and is repeated as it was."""
    return f"""(
        {delivery}.attempts > 0 AND NOT {delivery}.duplicate_possible
        AND EXISTS (SELECT FROM attempt WHERE delivery = {delivery}.id AND verdict = 'unknown'))"""


def _reached(delivery: str) -> str:
    """Return a condition on a delivery: some of its recipients have it."""
    return f"coalesce({delivery}.recipients -> 'reached', '[]') <> '[]'"


def by_itself(delivery: str) -> str:
    """Return a condition on a delivery: it is never merged any more, since somebody may have it."""
    return f"({in_doubt(delivery)} OR {delivery}.state = 'failed' AND {_reached(delivery)})"


TRIES_ALONE = 5
"""So often a program fails at a revision, over a minute and more, before it is that revision."""


def _refused_alone(delivery: str) -> str:
    """Return a condition on what failed: a program fails at it, and has taken others meanwhile.

    Programs tell by the revision what is newer; people would read the end first (ADR 160).
    """
    return f"""(
        {delivery}.attempts - {delivery}.tried_before > {TRIES_ALONE}
        AND EXISTS (SELECT FROM destination AS program
                    WHERE program.id = {delivery}.destination AND program.kind = 'webhook')
        AND EXISTS (
            SELECT FROM attempt AS own JOIN attempt AS other
              ON other.lane = own.lane AND other.started_at > own.started_at
                 AND other.verdict = 'accepted'
            WHERE own.delivery = {delivery}.id AND own.number = {delivery}.tried_before + 1
              AND other.started_at < (SELECT max(last.started_at) FROM attempt AS last
                                      WHERE last.delivery = {delivery}.id)))"""  # noqa: S608 - the names are ours


def _holds_up(older: str, told: str) -> str:
    """Return a condition on what is older than the delivery `d`: `d` has to wait for it.

    Not for long, where only mailboxes put it off: an escalation passes, and so does all else once
    the episode is `told` to anybody (ADR 123). What one person alone is told, who waits for it,
    does not wait for what waits on purpose, nor does a request for an approval (ADR 152).
    """
    return f"""(
        {older}.state IN ('waiting', 'sending', 'failed')
        AND ((d.event = 'refused' OR d.kind = 'escalation')
             AND {older}.not_before > :now) IS NOT TRUE
        AND NOT ({older}.state = 'failed' AND {older}.recipients IS NOT NULL
                 AND (d.kind = 'escalation' OR {told}))
        AND NOT ({older}.state = 'failed' AND {_refused_alone(older)}))"""


_TOLD = f"""EXISTS (
    SELECT FROM delivery AS told
    WHERE told.alert_id = d.alert_id AND told.destination = d.destination
      AND (told.state = 'sent' OR {_reached("told")}))"""

OLDER_HOLDS_UP = _holds_up("older", _TOLD)

# Condition on a delivery `d`: nothing older of its episode is in a digest that it has to wait for.
AFTER_DIGESTS = f"""
NOT EXISTS (
    SELECT FROM delivery AS merged JOIN delivery AS digest ON digest.id = merged.digest_id
    WHERE merged.alert_id = d.alert_id AND merged.destination = d.destination
      AND merged.revision < d.revision AND {_holds_up("digest", _reached("digest"))})
"""
