"""How are Flyball's own ledger records read as a trace, so that a past day can be replayed?

JSON lines of records; an intent gives the time, class, session and model, its outcome the tokens.
"""

from collections.abc import Iterable, Iterator

import msgspec

from flyball.dialects.traces import fields
from flyball.dialects.traces.row import Tally, TraceRow
from flyball.model.decision import Intent, Outcome, Record

PENDING_MAX = 262_144


def read(lines: Iterable[bytes], place: str, tally: Tally) -> Iterator[tuple[int, TraceRow]]:
    """Line number (of the outcome) and row, in the order of outcomes: sort afterwards.

    Retries are left out: they are the fleet's answer to load, not load. An outcome without an
    intent (refused at once: no length known) and an intent without an outcome are counted as
    unmatched. At most `PENDING_MAX` intents wait; the oldest then counts as unmatched.
    Raises TraceError for a line that is not a record.
    """
    pending: dict[str, Intent] = {}
    decoder = msgspec.json.Decoder(Record)
    base: float | None = None
    for line, record in fields.json_lines(lines, place, decoder):
        if isinstance(record, Intent):
            base = record.at if base is None else base
            pending[record.id] = record
            if len(pending) > PENDING_MAX:
                del pending[next(iter(pending))]
                tally.unmatched += 1
        elif isinstance(record, Outcome):
            intent = pending.pop(record.id, None)
            if intent is None or base is None:
                tally.unmatched += 1
            elif not intent.is_retry:
                yield line, _row(intent, record, intent.at - base)
    tally.unmatched += len(pending)


def _row(intent: Intent, outcome: Outcome, at_s: float) -> TraceRow:
    return TraceRow(
        at_s=at_s,
        input_tokens=outcome.input_tokens or intent.tokens_offered,
        output_tokens=outcome.output_tokens,
        session=intent.session,
        model=intent.model,
        class_name=intent.class_name,
    )
