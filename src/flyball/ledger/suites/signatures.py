"""Does the one Ed25519 verifier agree with Wycheproof, and refuse the publicly known edge cases?

Edge cases come as ed25519-speccheck's `cases.json` (`message`, `pub_key`, `signature`, all hex) or
C2SP CCTV's `ed25519vectors.json` (`key`, `sig` in hex, `msg` as text, `flags`). Neither says what
a strict verifier must answer, so `edwards` computes it, and flags that forbid acceptance are held.
"""

from collections.abc import Iterator
from typing import Any

from flyball.ledger.suites.cases import Case, Folder, expected
from flyball.ledger.suites.edwards import is_valid
from flyball.signing.ed25519 import verify

_CURVES = ("edwards25519", "Ed25519")
_REFUSED_FLAGS = {
    "low_order_A", "low_order_R", "non_canonical_A", "non_canonical_R", "low_order_residue",
    "reencoded_k",
}  # fmt: skip


def wycheproof_cases(folder: Folder) -> Iterator[Case]:
    """Groups of EDDSA keys on edwards25519; "acceptable" cases pass either way."""
    for path, found in folder.documents():
        groups = found.get("testGroups") if isinstance(found, dict) else None
        for group in groups if isinstance(groups, list) else ():
            key = group.get("publicKey") or group.get("key") or {}
            if not isinstance(key, dict) or key.get("curve") not in _CURVES:
                continue
            for test in group["tests"]:
                yield _wycheproof_case(path, key["pk"], test)


def _wycheproof_case(path: str, key: str, test: dict[str, Any]) -> Case:
    name = f"{path}: {test['tcId']} {test.get('comment', '')}".rstrip()
    if test["result"] == "acceptable":
        return Case(name)
    return expected(
        name,
        test["result"] == "valid",
        lambda: verify(*(bytes.fromhex(text) for text in (key, test["sig"], test["msg"]))),
    )


def edge_cases(folder: Folder) -> Iterator[Case]:
    """Both layouts, whatever the files are called."""
    for path, found in folder.documents():
        if isinstance(found, Exception):
            yield Case(path, f"cannot be read: {found}")
            continue
        for number, one in enumerate(found if isinstance(found, list) else ()):
            if isinstance(one, dict) and (read := _edge(one)) is not None:
                yield _edge_case(f"{path}: {one.get('number', number)}", one, *read)


def _edge(one: dict[str, Any]) -> tuple[bytes, bytes, bytes] | None:
    """(key, signature, message), or None if it is no case."""
    if one.keys() >= {"pub_key", "signature", "message"}:
        key, signature, message = (one[name] for name in ("pub_key", "signature", "message"))
        return bytes.fromhex(key), bytes.fromhex(signature), bytes.fromhex(message)
    if one.keys() >= {"key", "sig", "msg"}:
        return bytes.fromhex(one["key"]), bytes.fromhex(one["sig"]), one["msg"].encode()
    return None


def _edge_case(
    name: str, one: dict[str, Any], key: bytes, signature: bytes, message: bytes
) -> Case:
    must_hold = is_valid(key, signature, message)
    if must_hold and _REFUSED_FLAGS.intersection(one.get("flags") or ()):
        return Case(name, "its flags forbid acceptance, and the equation holds")
    return expected(name, must_hold, lambda: verify(key, signature, message))
