"""How does a record leave as a SCITT statement with a receipt that it is in the log?

A statement is a COSE_Sign1 (RFC 9052) over the record's bytes, with the issuer and the subject as
CWT claims (RFC 9597); its receipt, in the unprotected header (label 394), is a COSE_Sign1 over the
log's root, which is left out and computed by who verifies: from the leaf hash of the statement's
payload and the inclusion proof in header 396 (RFC 9942, structure RFC9162_SHA256). Both are signed
with the log's Ed25519 key.
"""

from typing import Any

from flyball.ledger.note import Signer
from flyball.ledger.verify import Inclusion

ALG, CONTENT_TYPE, KID, CLAIMS = 1, 3, 4, 15  # COSE header labels (IANA registry)
RECEIPTS, STRUCTURE, PROOFS = 394, 395, 396  # RFC 9942 section 7
EDDSA = -8
RFC9162_SHA256 = 1
INCLUSION = -1
ISSUER, SUBJECT = 1, 2  # CWT claims (RFC 8392)
SIGN1_TAG = 18


def statement(entry: bytes, record_id: str, proven: Inclusion, signer: Signer) -> bytes:
    """The statement of one entry with its receipt, as CBOR. `signer` = the log's own key."""
    import cbor2

    claims = {ISSUER: signer.key.name, SUBJECT: record_id}
    protected = {
        ALG: EDDSA,
        CONTENT_TYPE: "application/json",
        KID: signer.key.id,
        CLAIMS: claims,
    }
    receipt = _receipt(proven, signer)
    return cbor2.dumps(_sign1(protected, {RECEIPTS: [receipt]}, entry, entry, signer))


def _receipt(proven: Inclusion, signer: Signer) -> bytes:
    import cbor2

    path = cbor2.dumps([proven.checkpoint.size, proven.index, list(proven.proof)])
    protected = {
        ALG: EDDSA,
        KID: signer.key.id,
        STRUCTURE: RFC9162_SHA256,
        CLAIMS: {ISSUER: signer.key.name},
    }
    proofs = {PROOFS: {INCLUSION: [path]}}
    return cbor2.dumps(_sign1(protected, proofs, None, proven.checkpoint.root, signer))


def _sign1(
    protected: dict[int, Any],
    unprotected: dict[int, Any],
    payload: bytes | None,
    signed: bytes,
    signer: Signer,
) -> Any:
    """RFC 9052 section 4.2 and 4.4; `payload` None = detached."""
    import cbor2

    head = cbor2.dumps(protected)
    signature = signer.sign(cbor2.dumps(["Signature1", head, b"", signed]))
    return cbor2.CBORTag(SIGN1_TAG, [head, unprotected, payload, signature])
