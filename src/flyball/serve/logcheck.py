"""Does the ledger hold every request of a run exactly once?"""

from collections.abc import Iterable
from pathlib import Path
from time import monotonic, sleep

from flyball.ledger.record import RecordError
from flyball.model.decision import Intent, Outcome
from flyball.serve.log_reader import open_log
from flyball.serve.log_writer import LedgerError
from flyball.units import Seconds

_LOOK_EVERY_S = 0.2


def compare(
    folder: Path, request_ids: Iterable[str], since: Seconds = 0.0, patience_s: Seconds = 5.0
) -> dict[str, int]:
    """Counts over the requests whose ids the gateway told: checked, lost, doubled, unnamed.

    A request is whole with one intent and one outcome, or with one outcome alone that refuses it.
    Records from `since` (Unix seconds) on are read; as the log is written a little after the
    answer, a lost one is looked for again until `patience_s` has passed. `unnamed` = requests
    whose answer carried no id (no connection, or no gateway of ours). Raises ValueError if the
    folder holds no log or a damaged one.
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
    intents: dict[str, int] = {}
    outcomes: dict[str, int] = {}
    refused: set[str] = set()
    for found in open_log(folder).since(since):
        record = found.record
        if record.id not in wanted:
            continue
        if isinstance(record, Intent):
            intents[record.id] = intents.get(record.id, 0) + 1
        elif isinstance(record, Outcome):
            outcomes[record.id] = outcomes.get(record.id, 0) + 1
            if record.outcome == "refused":
                refused.add(record.id)
    lost = sum(
        name not in outcomes or (name not in intents and name not in refused) for name in wanted
    )
    doubled = sum(intents.get(name, 0) > 1 or outcomes.get(name, 0) > 1 for name in wanted)
    return lost, doubled
