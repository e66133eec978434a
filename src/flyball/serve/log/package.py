"""How does evidence leave as one signed file, and is such a file still what was signed?

A zip: for each record a C2SP tlog-proof with the record inside, the checkpoints, the keys and
bundles that were given, a report for people, and `manifest.json` (RFC 8785) with the SHA-256 of
every file. `manifest.note` is a signed note (C2SP) over the manifest's own hash.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

from msgspec import Struct

from flyball.ledger.note import NoteError, Signer, VerifierKey, sign_note, verify_note
from flyball.ledger.proof import LoggedProof, parse_proof, prove
from flyball.ledger.record import RecordError, decode
from flyball.ledger.tree import ProofError, leaf_hash
from flyball.ledger.trust import Trust
from flyball.ledger.verify import COSIGNED, PROBLEMS_MAX
from flyball.model.decision import Record
from flyball.serve.log.reader import LogReader
from flyball.serve.log.writer import LedgerError
from flyball.signing.jcs import canonical

MANIFEST, NOTE = "manifest.json", "manifest.note"
FORMAT = "flyball-evidence/v1"
RECORDS_MAX = 100_000
FILE_BYTES_MAX = 256 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)
README = """Evidence out of a Flyball log.

report.html, report.pdf   for people
logs/<n>/*.tlog-proof     one record each, with the proof that it is in the log (C2SP tlog-proof)
logs/<n>/checkpoint       what the log claimed then; checkpoint.cosigned: what witnesses confirmed
keys/, bundles/           public keys and policy bundles as they were handed in
manifest.json             SHA-256 of every file; manifest.note: a signature over its hash

Check it offline, with keys that you have from elsewhere:
    flyball audit check PACKAGE --key VKEY --log-key VKEY
"""


class Checked(Struct, frozen=True):
    """What a check found. `signed_by` = the key's name, "" = no known key signed."""

    manifest: dict[str, Any]
    signed_by: str
    records: int
    problems: tuple[str, ...]


def proofs_of(log: LogReader, indices: Sequence[int]) -> Iterator[tuple[str, bytes, Record]]:
    """(name, tlog-proof, record) of each entry, under the newest checkpoint."""
    note = (log.read("checkpoint") or b"").decode()
    wanted = set(indices)
    for run in log.runs(min(wanted, default=0)):
        for index, entry in enumerate(run.entries(), run.first):
            if index in wanted and index < log.checkpoint.size:
                made = prove(index, note, log.read)
                proof = LoggedProof(made.index, made.hashes, made.note, entry)
                yield f"{index}.tlog-proof", proof.text().encode(), decode(entry)


def checkpoints_of(log: LogReader) -> dict[str, bytes]:
    """The log's claim, and the one that was cosigned."""
    found = {name: log.read(name) for name in ("checkpoint", COSIGNED)}
    return {name: raw for name, raw in found.items() if raw is not None}


def write_package(
    path: Path, files: Mapping[str, bytes], facts: dict[str, Any], signer: Signer
) -> None:
    """Write the zip; `files` by their names in it. OSError if it cannot be written."""
    digests = {name: sha256(data).hexdigest() for name, data in files.items()}
    manifest = canonical({"format": FORMAT, **facts, "files": digests})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        _put(out, MANIFEST, manifest)
        _put(out, NOTE, sign_note(_claim(manifest), [signer]).encode())
        for name in sorted(files):
            _put(out, name, files[name])


def check_package(path: Path, signers: Sequence[VerifierKey], trust: Trust) -> Checked:
    """Check the signature, every file's hash, and every record's proof against `trust`.

    Raises LedgerError if it is no package, OSError if it cannot be read.
    """
    try:
        with zipfile.ZipFile(BytesIO(path.read_bytes())) as package:
            return _check(package, signers, trust)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, EOFError, ValueError) as error:
        raise LedgerError(f"{path} is no package of evidence, or damaged: {error}.") from None


def _check(package: zipfile.ZipFile, signers: Sequence[VerifierKey], trust: Trust) -> Checked:
    raw = _get(package, MANIFEST)
    manifest = json.loads(raw)
    problems: list[str] = []
    signed_by = _signed_by(_get(package, NOTE), raw, signers, problems)
    if manifest.get("format") != FORMAT or canonical(manifest) != raw:
        problems.append(f"{MANIFEST} is not of the form {FORMAT}.")
    digests = manifest.get("files", {})
    names = package.namelist()
    for name in sorted({*names, *digests, MANIFEST, NOTE} - {MANIFEST, NOTE}):
        if name not in digests or names.count(name) != 1:
            problems.append(f"{name} is not listed once in {MANIFEST}, and there once.")
    count = 0
    for name in sorted(set(digests) & set(names)):
        data = _get(package, name)
        if sha256(data).hexdigest() != digests[name]:
            problems.append(f"{name} is not what {MANIFEST} says.")
        elif name.endswith(".tlog-proof"):
            count += 1
            if text := _proof_problem(data, trust):
                problems.append(f"{name}: {text}.")
    return Checked(manifest, signed_by, count, tuple(problems[:PROBLEMS_MAX]))


def _signed_by(
    note: bytes, manifest: bytes, signers: Sequence[VerifierKey], problems: list[str]
) -> str:
    try:
        found = verify_note(note.decode(), signers)
    except (NoteError, UnicodeDecodeError) as error:
        problems.append(f"The package's signature: {error}.")
        return ""
    if found.text != _claim(manifest):
        problems.append(f"What was signed is another {MANIFEST}.")
    return found.signed[0].key.name


def _proof_problem(data: bytes, trust: Trust) -> str:
    try:
        found = parse_proof(data.decode())
        found.verify(leaf_hash(found.extra), trust)
        decode(found.extra)
    except (ProofError, NoteError, RecordError, UnicodeDecodeError) as error:
        return str(error)
    return ""


def _claim(manifest: bytes) -> str:
    return f"{FORMAT}\n{sha256(manifest).hexdigest()}\n"


def _put(out: zipfile.ZipFile, name: str, data: bytes) -> None:
    out.writestr(zipfile.ZipInfo(name, _EPOCH), data, zipfile.ZIP_DEFLATED)


def _get(package: zipfile.ZipFile, name: str) -> bytes:
    if package.getinfo(name).file_size > FILE_BYTES_MAX:
        raise ValueError(f"{name} has more than {FILE_BYTES_MAX} bytes")
    return package.read(name)
