"""Is this bundle in a log that the receiver believes, where everybody can see that it was made?

The entry of the log is the bundle's Statement; the proof is a C2SP tlog-proof with a checkpoint
that the log signed and enough witnesses cosigned.
"""

from collections.abc import Callable
from pathlib import Path

from flyball.authority.bundles.archive import BundleError
from flyball.authority.bundles.bundle import Bundle
from flyball.ledger.checkpoint import parse
from flyball.ledger.note import NoteError
from flyball.ledger.proof import parse_proof, prove
from flyball.ledger.tree import ProofError, leaf_hash
from flyball.ledger.trust import parse_trust
from flyball.ledger.verify import COSIGNED
from flyball.serve.log.reader import files_in
from flyball.serve.log.signing import load_signing
from flyball.serve.log.writer import LedgerError, LogWriter

_STEP = "The publisher adds a proof with flyball bundle log."


def checker(trust_text: str) -> Callable[[Bundle], None]:
    """What raises BundleError unless a bundle's proof holds under that trust policy."""

    def check(bundle: Bundle) -> None:
        if not bundle.proof:
            raise BundleError("no_proof", "it has no proof that it was logged", _STEP)
        try:
            proof = parse_proof(bundle.proof.decode())
            if proof.text().encode() != bundle.proof or proof.extra:
                raise ProofError("it is not in its one spelling")
            proof.verify(leaf_hash(bundle.statement()), parse_trust(trust_text))
        except (ProofError, NoteError, UnicodeDecodeError) as error:
            raise BundleError(
                "proof", f"its proof of being logged is bad: {error}", _STEP
            ) from None

    return check


def log_it(bundle: Bundle, folder: Path, key_file: Path) -> bytes:
    """Write the bundle's Statement to the log in `folder`, signed by the log's key; the proof.

    Raises LedgerError if the log or the key cannot be used.
    """
    signing = load_signing([str(key_file)], None)
    writer = LogWriter(folder, origin=signing.origin, signers=signing.signers)
    try:
        entry, index = bundle.statement(), writer.size
        writer.commit([entry])
        writer.absorb([entry])
        writer.checkpoint()
    except OSError as error:
        raise LedgerError(f"{folder}: {error.strerror or error}") from None
    finally:
        writer.close()
    return _proof(folder, index)


def _proof(folder: Path, index: int) -> bytes:
    """Under the cosigned checkpoint if that has the entry already, else under the newest."""
    read = files_in(folder)
    for name in (COSIGNED, "checkpoint"):
        note = (read(name) or b"").decode()
        if note and parse(note).size > index:
            return prove(index, note, read).text().encode()
    raise LedgerError(f"{folder}: its checkpoint does not hold the entry")
