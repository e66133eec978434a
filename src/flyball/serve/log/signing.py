"""With which keys does this log sign, and which witnesses must have seen its checkpoints?"""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from flyball.ledger.note import ED25519, NoteError, Signer
from flyball.ledger.trust import Trust, parse_trust
from flyball.serve.log.writer import LedgerError

UNSIGNED_ORIGIN = "flyball.local/log"


class Signing(Struct, frozen=True):
    """`origin` is the name of the keys; no signers = unsigned; `trust` None = no witnesses."""

    origin: str = UNSIGNED_ORIGIN
    signers: tuple[Signer, ...] = ()
    trust: Trust | None = None


def load_signing(key_files: Sequence[str], trust_file: str | None) -> Signing:
    """Read them. Several keys are the old and the new one while a key is rotated.

    Raises LedgerError naming the file, what is wrong with it and the next step.
    """
    signers = tuple(_signer(Path(name)) for name in key_files)
    names = {one.key.name for one in signers}
    if len(names) > 1:
        raise LedgerError(
            f"The keys of one log have one name, its origin: these are {', '.join(sorted(names))}."
        )
    if trust_file is None:
        return Signing(names.pop(), signers) if names else Signing()
    trust = _trust(Path(trust_file))
    if not any(one.key in trust.logs for one in signers):
        raise LedgerError(
            f"{trust_file} does not list a key that this log signs with: witnesses would cosign "
            "what nobody believes. Add a line `log VKEY`, or name the key under ledger.keys."
        )
    return Signing(names.pop(), signers, trust)


def _signer(path: Path) -> Signer:
    try:
        signer = Signer.parse(_text(path))
        if signer.key.kind != ED25519:
            raise NoteError("it is a witness's key")
    except NoteError as error:
        raise LedgerError(
            f"{path} is no signing key for a log: {error}. "
            "`flyball witness --new-key NAME --kind log --key FILE` makes one."
        ) from None
    return signer


def _trust(path: Path) -> Trust:
    try:
        return parse_trust(_text(path))
    except NoteError as error:
        raise LedgerError(f"{path} is no trust policy (C2SP tlog-policy): {error}.") from None


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise LedgerError(
            f"{path} cannot be read: {error.strerror}. Paths are relative to the fleet file."
        ) from None
    except UnicodeDecodeError:
        raise NoteError("it is not UTF-8") from None
