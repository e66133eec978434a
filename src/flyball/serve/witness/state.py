"""What has this witness cosigned, and how does it never forget that before it answers?

One file per log in `logs/`, named by the SHA-256 of its origin: the note cosigned last. It is on
the disk before the cosignature leaves. Suspect submissions that a log signed are kept too, in
`evidence/`.
"""

import fcntl
import os
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from flyball.ledger.checkpoint import Checkpoint, parse
from flyball.ledger.note import NoteError, Signer, VerifierKey, verify_note
from flyball.ledger.witness import Verdict, judge_submission
from flyball.serve.durable import replace_durably

EVIDENCE_MAX = 256
LOGS = "logs"
EVIDENCE = "evidence"


class WitnessError(Exception):
    """The witness cannot start: the message names the folder, the cause and the next step."""


class WitnessState:
    """One witness's folder, held by this process alone until `close`.

    `logs` maps an origin to the keys of its log; `clock` gives Unix seconds. Several `signers` are
    the witness's old and new key: each cosigns. Raises WitnessError.
    """

    def __init__(
        self,
        folder: Path,
        signers: Sequence[Signer],
        logs: Mapping[str, Sequence[VerifierKey]],
        clock: Callable[[], float],
    ) -> None:
        self._folder = folder
        self._signers = signers
        self._logs = logs
        self._clock = clock
        self._at = 0
        self._seen: dict[str, Checkpoint] = {}
        try:
            for part in (LOGS, EVIDENCE):
                (folder / part).mkdir(parents=True, exist_ok=True)
            self._lock = _lock(folder)
            self._evidence_count = len(list((folder / EVIDENCE).iterdir()))
            self._load_all()
        except OSError as error:
            raise WitnessError(
                f"The witness's folder {folder} cannot be used: {error.strerror or error}. "
                "Correct its access rights, or name another folder."
            ) from None

    def close(self) -> None:
        """Release the folder."""
        os.close(self._lock)

    def submit(self, body: bytes) -> tuple[Verdict, str]:
        """The verdict on a request's body, and the answer's body. What is said is durable.

        OSError if the disk refuses: then nothing was cosigned, and the same may be asked again.
        """
        verdict = judge_submission(body, self._logs, self._seen.get)
        if verdict.is_suspect:
            self._keep_evidence(verdict.note)
        if verdict.seen is None:
            return verdict, verdict.body
        # A clock that was set back must not date this one before the one already given.
        self._at = max(self._at, int(self._clock()))
        lines = "".join(signer.line(verdict.text, self._at) for signer in self._signers)
        replace_durably(self._path(verdict.seen.origin), (verdict.note + lines).encode())
        self._seen[verdict.seen.origin] = verdict.seen
        return verdict, lines

    def sizes(self) -> dict[str, int]:
        """Origin -> entries under the checkpoint cosigned last."""
        return {origin: seen.size for origin, seen in sorted(self._seen.items())}

    def _path(self, origin: str) -> Path:
        return self._folder / LOGS / sha256(origin.encode()).hexdigest()

    def _load_all(self) -> None:
        try:
            for path in sorted((self._folder / LOGS).glob("[0-9a-f]*")):
                self._load(path)
        except (WitnessError, OSError):
            self.close()
            raise

    def _load(self, path: Path) -> None:
        try:
            found = verify_note(path.read_bytes().decode(), [one.key for one in self._signers])
            seen = parse(found.text)
            if self._path(seen.origin) != path:
                raise NoteError(f"it is about {seen.origin!r} and stands under another name")
        except (NoteError, UnicodeDecodeError) as error:
            raise WitnessError(
                f"{path} is not what this witness wrote: {error}. A witness that has forgotten "
                "what it saw must not sign again: restore the file, or begin anew with a new key."
            ) from None
        self._seen[seen.origin] = seen
        self._at = max(self._at, *(one.at for one in found.signed))

    def _keep_evidence(self, note: str) -> None:
        name = sha256(note.encode()).hexdigest()[:32]
        path = self._folder / EVIDENCE / name
        if self._evidence_count < EVIDENCE_MAX and not path.exists():
            replace_durably(path, note.encode())
            self._evidence_count += 1


def _lock(folder: Path) -> int:
    file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        raise WitnessError(
            f"Another witness runs in {folder}. Stop it, or name another folder for this one."
        ) from None
    return file
