"""Which keys do tests sign with? Made from a number, so that a test's notes never change."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from flyball.ledger.checkpoint import Checkpoint
from flyball.ledger.note import COSIGNATURE, ED25519, Signer, sign_note

ORIGIN = "log.example/eu"
AT = 1_763_600_000


def signer(name: str, seed: int, kind: int = COSIGNATURE) -> Signer:
    """A witness's signer, or a log's with `kind` ED25519."""
    return Signer(name, Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32), kind)


LOG = signer(ORIGIN, 1, ED25519)
WITNESSES = [signer(f"witness.example/w{number}", 10 + number) for number in range(6)]
WITNESS_KEYS = [one.key for one in WITNESSES]


def signed(size: int, root: bytes, *cosigners: Signer, log: Signer = LOG) -> str:
    """A log's checkpoint under its own name, cosigned."""
    text = Checkpoint(log.key.name, size, root).text()
    return sign_note(text, [log]) + "".join(one.line(text, AT) for one in cosigners)
