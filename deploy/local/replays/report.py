"""The closing report: one JSON object, and why the run failed if it did."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from deploy.local.replays.kills import KILLS_EACH, Killed


@dataclass(frozen=True)
class Kills:
    """The kills of a run by process: when (seconds after the first post) and the recoveries."""

    seed: int
    kills: Mapping[str, Sequence[float]]
    recoveries: Mapping[str, Sequence[float]]

    @classmethod
    def of(cls, seed: int, processes: Sequence[str], killed: Sequence[Killed]) -> "Kills":
        """Sort kills by process; one that was never killed has an empty list."""
        in_order = sorted(killed, key=lambda kill: kill.at_s)
        return cls(
            seed,
            {
                name: [round(each.at_s, 1) for each in in_order if each.process == name]
                for name in processes
            },
            {
                name: [round(each.recovery_s, 1) for each in in_order if each.process == name]
                for name in processes
            },
        )


@dataclass(frozen=True)
class Report:
    """What a replay ends with; numbers of events, levels, SKUs per rule, episodes, notices.

    What is `expected` was recounted in the file: `ignored` are its service codes, `rejected` its
    lines whose sign no change can carry, `movements` the distinct changes, `quarantined` none.
    `duplicates` are those of this run alone. `seconds` count from the first post until every
    consumer is at lag 0. `alerts` are the openings by level. `notices_sent` and `notices_merged`
    are first notices that went out by themselves and in digests, `messages_refused` those that the
    group did not take, for instance because they came faster than it allows.
    """

    events: int
    accepted: int
    ignored: int
    ignored_expected: int
    quarantined: int
    rejected: int
    rejected_expected: int
    movements: int
    movements_expected: int
    duplicates: int
    duplicates_expected: int
    seconds: float
    events_per_second: float
    alerts: Mapping[str, int]
    episodes: int
    resolved: int
    reopened: int
    subjects_alerted: int
    subjects_expected: int
    subjects_differing: int
    notices_sent: int
    notices_merged: int
    episodes_unreached: int
    messages_refused: int
    levels_checked: int
    levels_mismatched: int
    kills: Kills | None = None

    def json(self) -> str:
        """Return the report as one line."""
        fields = asdict(self)
        kills = fields.pop("kills")
        return json.dumps(fields | (kills or {}), ensure_ascii=False)

    def failures(self, *, requests_repeated: int = 0) -> list[str]:
        """Return what must not be, in words; nothing for a run that kept every promise.

        A request that got no answer, or 503, is posted again although it may have been taken, so
        there may be more duplicates than in the file then, never fewer.
        """
        answered = self.accepted + self.ignored + self.quarantined + self.rejected
        ignored, rejected = self.ignored_expected, self.rejected_expected
        few = self.duplicates < self.duplicates_expected
        many = requests_repeated == 0 and self.duplicates > self.duplicates_expected
        found = [
            (
                self.events != answered,
                f"{self.events} events were posted and {answered} answered for",
            ),
            (self.quarantined != 0, f"{self.quarantined} events were quarantined"),
            (self.ignored != ignored, f"{self.ignored} events were ignored, not {ignored}"),
            (self.rejected != rejected, f"{self.rejected} events were rejected, not {rejected}"),
            (
                self.movements != self.movements_expected,
                f"the ledger has {self.movements} movements, not {self.movements_expected}",
            ),
            (
                few or many,
                f"{self.duplicates} duplicates were found, {self.duplicates_expected} posted",
            ),
            (self.subjects_differing != 0, f"{self.subjects_differing} alerted SKUs differ"),
            (self.episodes_unreached != 0, f"{self.episodes_unreached} episodes reached nobody"),
            (self.messages_refused != 0, f"the group refused {self.messages_refused} messages"),
            (self.levels_mismatched != 0, f"{self.levels_mismatched} levels are wrong"),
            (self.levels_checked == 0, "no level was checked"),
        ]
        if self.kills is not None:
            found += [
                (
                    len(times) < KILLS_EACH or len(self.kills.recoveries[process]) < len(times),
                    f"{process} was killed {len(times)} times, not {KILLS_EACH}",
                )
                for process, times in self.kills.kills.items()
            ]
        return [words for is_so, words in found if is_so]
