"""Does each attempt of each request have exactly one intent and exactly one outcome?

An attempt is named by the request's id and its number. "retried", and "cancelled" without a code,
end an attempt; any other outcome ends the request too. What was refused has an outcome alone.
"""

from collections.abc import Iterable

from flyball.model.decision import Intent, Outcome, Record
from flyball.units import Seconds

# How far apart the clocks of two gateway workers may be, and how late an outcome may be recorded.
CLOCK_SLACK_S: Seconds = 5.0
OUTCOME_SLACK_S: Seconds = 60.0


class Completeness:
    """Takes the records of one log in their order and tells what does not fit, as sentences.

    `is_cut`: what came before the first of them was pruned, so that an outcome near the cut may
    stand without its intent.
    """

    def __init__(self, is_cut: bool = False) -> None:
        self.open: dict[tuple[str, int], Intent] = {}
        self._attempts: dict[str, int] = {}
        self._closed: set[str] = set()
        self._newest_at: Seconds = float("-inf")
        self._cut_at: Seconds = float("-inf")
        self._is_cut = is_cut

    @property
    def open_ids(self) -> tuple[str, ...]:
        """Requests with an attempt that has no outcome yet, oldest first."""
        return tuple(dict.fromkeys(name for name, _ in self.open))

    def add(self, index: int, record: Record) -> str:
        """Take the next record; the problem with it as a sentence, or ""."""
        self._newest_at = max(self._newest_at, record.at)
        if self._is_cut:
            self._cut_at, self._is_cut = record.at, False
        if isinstance(record, Intent):
            return self._add_intent(index, record)
        if isinstance(record, Outcome):
            return self._add_outcome(index, record)
        return ""

    def _add_intent(self, index: int, intent: Intent) -> str:
        before = self._attempts.get(intent.id, 0)
        self._attempts[intent.id] = max(before, intent.attempt)
        self.open[intent.id, intent.attempt] = intent
        if intent.id in self._closed:
            return f"Entry {index}: an intent for {intent.id} follows its outcome."
        if intent.attempt <= before:
            return (
                f"Entry {index}: attempt {intent.attempt} of {intent.id} follows attempt {before}."
            )
        return ""

    def _add_outcome(self, index: int, outcome: Outcome) -> str:
        intent = self.open.pop((outcome.id, outcome.attempts), None)
        is_last = outcome.outcome != "retried"
        is_last = is_last and (outcome.outcome != "cancelled" or bool(outcome.code))
        if is_last and outcome.id in self._closed:
            return f"Entry {index}: a second outcome for {outcome.id}."
        if is_last:
            self._closed.add(outcome.id)
            self._attempts.pop(outcome.id, None)
        if intent is None:
            return self._without_intent(index, outcome, is_last)
        if outcome.at < intent.at - CLOCK_SLACK_S:
            back_s = intent.at - outcome.at
            return (
                f"Entry {index}: the outcome of {outcome.id} is {back_s:.1f} s before its intent."
            )
        return ""

    def _without_intent(self, index: int, outcome: Outcome, is_last: bool) -> str:
        if outcome.at - outcome.e2e_s <= self._cut_at + OUTCOME_SLACK_S:
            return ""
        if outcome.outcome == "served":
            return f"Entry {index}: {outcome.id} was served without an intent before it."
        if not is_last:
            return (
                f"Entry {index}: attempt {outcome.attempts} of {outcome.id} was "
                f"{outcome.outcome} without an intent before it."
            )
        return ""

    def overdue(self) -> list[str]:
        """Sentences for intents whose outcome is missing long after their deadline."""
        return [
            f"{intent.id} has an intent but no outcome, "
            f"{self._newest_at - intent.deadline_at:.0f} s after its deadline."
            for intent in self.open.values()
            if intent.deadline_at + OUTCOME_SLACK_S < self._newest_at
        ]


def unsettled(records: Iterable[Record]) -> list[Intent]:
    """The intents that have no outcome among `records`, oldest first.

    After a kill these are the attempts whose end nobody saw: the driver closes them. Two of one
    request are two copies of it.
    """
    story = Completeness()
    for index, record in enumerate(records):
        story.add(index, record)
    return list(story.open.values())
