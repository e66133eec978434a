"""How does one record's proof leave the log as a file, and is such a file believed?"""

from pathlib import Path
from typing import Any

from flyball.ledger.note import NoteError
from flyball.ledger.proof import LoggedProof, entry_at, parse_proof, prove
from flyball.ledger.record import decode
from flyball.ledger.tiles import Read
from flyball.ledger.tree import leaf_hash
from flyball.ledger.trust import Judged, Trust
from flyball.ledger.verify import Report

ENDING = ".tlog-proof"


def write_proofs(report: Report, read: Read, folder: Path) -> list[Path]:
    """A C2SP tlog-proof per entry found, with the record itself as its extra data.

    It stands under the checkpoint that the quorum cosigned where that covers the entry, else under
    the newest one. Raises NoteError if the log's signature was not checked, OSError if a file
    cannot be written.
    """
    if report.signed is None:
        raise NoteError("a proof needs a signed checkpoint: give --key or --trust")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, places in report.found.items():
        for one in places:
            under = report.signed
            if report.cosigned and one.index < report.cosigned.checkpoint.size:
                under = report.cosigned
            entry = entry_at(one.index, report.size, read)
            made = prove(one.index, _note(under), read)
            path = folder / f"{name}-{one.index}{ENDING}"
            path.write_text(LoggedProof(made.index, made.hashes, made.note, entry).text())
            written.append(path)
    return written


def _note(judged: Judged) -> str:
    lines = (one.line for one in (*judged.logs, *judged.cosigned))
    return f"{judged.text}\n{''.join(lines)}"


def judge_proof(path: Path, trust: Trust) -> dict[str, Any]:
    """What a proof file shows: index, checkpoint, who signed and cosigned when, and the record.

    Raises NoteError or ProofError if it shows nothing, RecordError if its extra data is no record,
    OSError if it cannot be read.
    """
    found = parse_proof(path.read_bytes().decode())
    judged = found.verify(leaf_hash(found.extra), trust)
    return {
        "ok": True,
        "origin": judged.checkpoint.origin,
        "size": judged.checkpoint.size,
        "index": found.index,
        "signed_by": [one.key.name for one in judged.logs],
        "cosigned_by": {one.key.name: one.at for one in judged.cosigned},
        "record": decode(found.extra),
    }
