"""Are notes, checkpoints and cosignatures judged as their vectors say?

Two layouts. JSON: a list of cases, or an object with one under `tests`, `cases` or `vectors`, or
one case alone. A case has the note (`note`, `checkpoint` or `msg`), verifier keys (`vkeys`, `keys`
or `vkey`) and whether it holds (`valid`, `wantErr` or `result`: "valid" or "invalid"); optional are
`text`, `origin`, `size`, `root` (base64), `timestamps` (one per cosignature), `least` (how many
keys must have signed) and `skey` with `timestamp`: then signing must give the note's own line.
Files: `NAME.note` (or `.checkpoint`) with `NAME.vkey` beside it or `keys.vkey` in its folder, a key
per line; it must not hold if its path has `invalid` in it.
"""

from base64 import b64encode
from collections.abc import Iterator
from typing import Any

from flyball.ledger.checkpoint import CheckpointError, parse
from flyball.ledger.note import (
    COSIGNATURE,
    Note,
    NoteError,
    Signer,
    VerifierKey,
    sign_note,
    verify_note,
)
from flyball.ledger.suites.cases import Case, Folder, expected

_LISTS = ("tests", "cases", "vectors")
_ENDINGS = (".note", ".checkpoint")


def note_cases(folder: Folder) -> Iterator[Case]:
    """C2SP signed-note."""
    yield from _cases(folder, _judge_note)


def checkpoint_cases(folder: Folder) -> Iterator[Case]:
    """C2SP tlog-checkpoint: a note whose text is a checkpoint."""
    yield from _cases(folder, _judge_checkpoint)


def cosignature_cases(folder: Folder) -> Iterator[Case]:
    """C2SP tlog-cosignature v1: a checkpoint that the given witnesses cosigned."""
    yield from _cases(folder, _judge_cosignature)


def _cases(folder: Folder, judge: Any) -> Iterator[Case]:
    for path, found in folder.documents():
        if isinstance(found, Exception):
            yield Case(path, f"cannot be read: {found}")
            continue
        for number, one in enumerate(_listed(found)):
            name = str(one.get("name") or one.get("desc") or one.get("comment") or number)
            yield expected(f"{path}: {name}", _must_hold(one), lambda f=one: judge(f))
    for path in folder.paths:
        if path.endswith(_ENDINGS):
            one = {"note": folder.read(path).decode(errors="surrogateescape"),
                   "vkeys": _keys_beside(folder, path)}  # fmt: skip
            yield expected(path, "invalid" not in path, lambda f=one: judge(f))


def _listed(found: Any) -> list[dict[str, Any]]:
    if isinstance(found, dict):
        listed = next((found[name] for name in _LISTS if name in found), [found])
    else:
        listed = found
    if not isinstance(listed, list):
        return []
    return [one for one in listed if isinstance(one, dict) and _note_of(one) is not None]


def _keys_beside(folder: Folder, path: str) -> list[str]:
    own = path.rpartition(".")[0] + ".vkey"
    common = path.rpartition("/")[0] + "/keys.vkey"
    for place in (own, common.removeprefix("/")):
        if place in folder.paths:
            return folder.read(place).decode().split()
    return []


def _must_hold(one: dict[str, Any]) -> bool:
    if "wantErr" in one:
        return not one["wantErr"]
    if "result" in one:
        return one["result"] == "valid"
    return bool(one.get("valid", True))


def _note_of(one: dict[str, Any]) -> str | None:
    return next((one[name] for name in ("note", "checkpoint", "msg") if name in one), None)


def _keys_of(one: dict[str, Any]) -> list[VerifierKey]:
    found = next((one[name] for name in ("vkeys", "keys", "vkey") if name in one), [])
    return [VerifierKey.parse(text) for text in ([found] if isinstance(found, str) else found)]


def _judge_note(one: dict[str, Any]) -> Note:
    note = _note_of(one) or ""
    found = verify_note(note, _keys_of(one))
    if len(found.signed) < one.get("least", 1):
        raise NoteError(f"{len(found.signed)} of the keys signed")
    if one.get("text", found.text) != found.text:
        raise NoteError(f"the text is {found.text!r}")
    if "skey" in one:
        made = sign_note(found.text, [Signer.parse(one["skey"])], one.get("timestamp", 0))
        if made.split("\n\n")[-1] not in note:
            raise NoteError(f"signing gives {made!r}")
    return found


def _judge_checkpoint(one: dict[str, Any]) -> Note:
    found = _judge_note(one)
    claimed = parse(found.text)
    told = {
        "origin": claimed.origin,
        "size": claimed.size,
        "root": b64encode(claimed.root).decode(),
    }
    for name, value in told.items():
        if one.get(name, value) != value:
            raise CheckpointError(f"the {name} is {value!r}")
    return found


def _judge_cosignature(one: dict[str, Any]) -> None:
    found = _judge_checkpoint(one)
    times = [signed.at for signed in found.signed if signed.key.kind == COSIGNATURE]
    if not times:
        raise NoteError("no witness cosigned")
    if one.get("timestamps", times) != times:
        raise NoteError(f"the times are {times}")
