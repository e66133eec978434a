"""May a witness cosign this checkpoint?

The rules of C2SP tlog-witness `add-checkpoint`, without the HTTP around them: only a checkpoint
that a known log signed, that follows on the one cosigned last, and that provably extends it. So a
witness never lends its name to a fork or a roll-back. What is `seen` must be durable before the
cosignature leaves the house.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import Struct

from flyball.ledger.checkpoint import Checkpoint, CheckpointError, parse, parse_size
from flyball.ledger.note import NoteError, VerifierKey, split_note, verify_note
from flyball.ledger.proof import hash_lines, parse_hashes
from flyball.ledger.tree import EMPTY_ROOT, ProofError, verify_consistency

BODY_BYTES_MAX = 1 << 17
SIZE_TYPE = "text/x.tlog.size"
TEXT_TYPE = "text/plain; charset=utf-8"


class Submission(Struct, frozen=True):
    """A log's wish: cosign `note`, which extends the tree of `old_size` as `proof` shows."""

    old_size: int
    proof: tuple[bytes, ...]
    note: str

    def text(self) -> str:
        """The request's body."""
        return f"old {self.old_size}\n{hash_lines(self.proof)}\n{self.note}"


class Verdict(Struct, frozen=True):
    """The answer's status, body and type. With 200, cosign `text` once `note` is kept for `seen`.

    `note` is the text with the log's own signatures and no other line that came with it.
    `is_suspect`: signed by the log, yet not an extension: evidence worth keeping.
    """

    status: int
    body: str = ""
    content_type: str = TEXT_TYPE
    seen: Checkpoint | None = None
    text: str = ""
    note: str = ""
    is_suspect: bool = False


def parse_submission(body: bytes) -> Submission:
    """Read a request's body. Raises ValueError naming what is wrong."""
    try:
        head, blank, note = body.decode().partition("\n\n")
    except UnicodeDecodeError:
        raise ValueError("the body is not UTF-8") from None
    old, *lines = head.split("\n")
    if not blank or not old.startswith("old "):
        raise ValueError("the body begins with `old SIZE`, then the proof and an empty line")
    return Submission(parse_size(old.removeprefix("old ")), parse_hashes(lines), note)


def judge_submission(
    body: bytes,
    logs: Mapping[str, Sequence[VerifierKey]],
    last: Callable[[str], Checkpoint | None],
) -> Verdict:
    """What to answer. `logs`: origin -> its keys; `last`: origin -> the checkpoint cosigned last.

    Nothing is raised: what is wrong with the body is the answer.
    """
    try:
        wish = parse_submission(body)
        text, _ = split_note(wish.note)
        claimed = parse(text)
    except ValueError as error:
        return Verdict(400, f"{error}\n")
    keys = logs.get(claimed.origin)
    if keys is None:
        return Verdict(404, "this witness does not know that origin\n")
    try:
        signed = verify_note(wish.note, keys)
    except NoteError as error:
        return Verdict(403, f"{error}\n")
    if wish.old_size > claimed.size:
        return Verdict(400, f"the old size {wish.old_size} is over the new one {claimed.size}\n")
    note = f"{text}\n" + "".join(one.line for one in signed.signed)
    verdict = _follow_on(wish, claimed, last(claimed.origin))
    return msgspec.structs.replace(verdict, text=text, note=note)


def _follow_on(wish: Submission, claimed: Checkpoint, seen: Checkpoint | None) -> Verdict:
    size = seen.size if seen else 0
    if wish.old_size != size:
        return Verdict(409, f"{size}\n", SIZE_TYPE)
    if seen is not None and claimed.size == size and claimed.root != seen.root:
        return Verdict(409, f"{size}\n", SIZE_TYPE, is_suspect=True)
    try:
        _verify_growth(seen, claimed, wish.proof)
    except ProofError as error:
        return Verdict(422, f"{error}\n", is_suspect=True)
    return Verdict(200, seen=claimed)


def _verify_growth(seen: Checkpoint | None, claimed: Checkpoint, proof: Sequence[bytes]) -> None:
    """As `verify_consistency`, but from nothing everything follows, with an empty proof."""
    if seen is not None and seen.size:
        verify_consistency(seen.size, claimed.size, proof, seen.root, claimed.root)
        return
    if proof:
        raise ProofError("the proof from an empty tree is empty")
    if not claimed.size and claimed.root != EMPTY_ROOT:
        raise ProofError("the empty tree has another root")


def cosignature_lines(answer: str) -> list[str]:
    """The signature lines of a witness's answer; NoteError if it is anything else."""
    if not answer.endswith("\n"):
        raise NoteError("the witness's answer does not end in a newline")
    lines = answer.split("\n")[:-1]
    if not lines or not all(line.startswith("— ") for line in lines):
        raise NoteError("the witness's answer is not made of signature lines")
    return [f"{line}\n" for line in lines]


def parse_known_size(answer: str) -> int:
    """The size in a 409 answer; CheckpointError if there is none."""
    if not answer.endswith("\n"):
        raise CheckpointError("the witness told no size")
    return parse_size(answer[:-1])
