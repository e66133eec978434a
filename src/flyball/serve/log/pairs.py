"""Does the ledger hold every request of a run exactly once?"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from time import monotonic, sleep

from flyball.ledger.record import RecordError
from flyball.model.decision import Intent, Outcome, TurnedAway
from flyball.serve.log.reader import open_log
from flyball.serve.log.writer import LedgerError
from flyball.units import Seconds

_LOOK_EVERY_S = 0.2


def compare(
    folder: Path, request_ids: Iterable[str], since: Seconds = 0.0, patience_s: Seconds = 5.0
) -> dict[str, int]:
    """Counts over the requests whose ids the gateway told: checked, lost, doubled, unnamed.

    A request is whole with one intent and one outcome for each attempt, the last of which closes
    it, or with one outcome alone that refuses it, or if it stands among those turned away. Records
    from `since` (Unix seconds) on are read; as the log is written a little after the answer, a lost
    one is looked for again until `patience_s` has passed. `unnamed` = requests whose answer carried
    no id (no connection, or no gateway of ours). Raises ValueError if the folder holds no log or a
    damaged one.
    """
    ids = list(request_ids)
    wanted = {name for name in ids if name}
    give_up_at = monotonic() + patience_s
    while True:
        try:
            lost, doubled = _counts(folder, wanted, since)
        except (LedgerError, RecordError) as error:
            raise ValueError(str(error)) from None
        if not lost or monotonic() >= give_up_at:
            break
        sleep(_LOOK_EVERY_S)
    unnamed = sum(not name for name in ids)
    doubled += len(ids) - unnamed - len(wanted)
    return {"checked": len(wanted), "lost": lost, "doubled": doubled, "unnamed": unnamed}


def _counts(folder: Path, wanted: set[str], since: Seconds) -> tuple[int, int]:
    """Requests lost, and requests with a record too many (pairs are joined by id and attempt)."""
    intents: Counter[tuple[str, int]] = Counter()
    outcomes: Counter[tuple[str, int]] = Counter()
    closed: Counter[str] = Counter()
    for found in open_log(folder).since(since):
        record = found.record
        if isinstance(record, TurnedAway):
            closed.update(wanted.intersection(record.ids))
            continue
        if record.id not in wanted:
            continue
        if isinstance(record, Intent):
            intents[record.id, record.attempt] += 1
        elif isinstance(record, Outcome):
            outcomes[record.id, record.attempts] += 1
            closed[record.id] += record.outcome not in ("retried", "cancelled")
    unpaired = {key[0] for key in intents if key not in outcomes}
    unpaired |= {key[0] for key in outcomes if key[1] and key not in intents}
    lost = {name for name in wanted if not closed[name]} | unpaired
    doubled = {key[0] for part in (intents, outcomes) for key, count in part.items() if count > 1}
    doubled |= {name for name, count in closed.items() if count > 1}
    return len(lost), len(doubled)
