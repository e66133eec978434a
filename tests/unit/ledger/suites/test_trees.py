"""Are proofs and logs in the published layouts judged right, made here by the text of RFC 6962?"""

import json
from base64 import b64encode
from hashlib import sha256

from flyball.ledger.suites.cases import Case, Folder
from flyball.ledger.suites.trees import proof_cases, tile_cases
from flyball.ledger.tiles import OpenTiles, pack, tile_path
from flyball.ledger.tree import leaf_hash
from support.signers import signed

LEAVES = [sha256(b"\0%d" % number).digest() for number in range(8)]
OTHER = b64encode(bytes(32)).decode()


def mth(leaves: list[bytes]) -> bytes:
    """MTH of RFC 6962 2.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"").digest()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of RFC 6962 2.1.1."""
    if len(leaves) == 1:
        return []
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962 2.1.2."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def text(data: bytes) -> str:
    return b64encode(data).decode()


def inclusion(index: int, size: int, **changes: object) -> dict[str, object]:
    found: dict[str, object] = {
        "leafIdx": index,
        "treeSize": size,
        "root": text(mth(LEAVES[:size])),
        "leafHash": text(LEAVES[index]),
        "proof": [text(one) for one in path(index, LEAVES[:size])] or None,
        "desc": "happy path",
        "wantErr": False,
    }
    return found | changes


def consistency(old: int, size: int, **changes: object) -> dict[str, object]:
    proof = subproof(old, LEAVES[:size], True) if old else []
    found: dict[str, object] = {
        "size1": old,
        "size2": size,
        "root1": text(mth(LEAVES[:old])),
        "root2": text(mth(LEAVES[:size])),
        "proof": [text(one) for one in proof],
        "wantErr": False,
    }
    return found | changes


def judged(files: dict[str, bytes], suite=proof_cases) -> dict[str, Case]:
    found = list(suite(Folder(tuple(sorted(files)), files.__getitem__)))
    return {case.name: case for case in found}


def test_proofs_made_from_the_text_of_the_rfc() -> None:
    files: dict[str, bytes] = {"README.md": b"x"}
    for size in range(1, 9):
        for index in range(size):
            files[f"inclusion/{size}/{index}.json"] = json.dumps(inclusion(index, size)).encode()
            old = index + 1
            files[f"consistency/{old}/{size}.json"] = json.dumps(consistency(old, size)).encode()
    cases = judged(files)
    assert len(cases) == 72
    assert [case for case in cases.values() if case.problem] == []


def test_the_published_kinds_of_bad_proofs() -> None:
    good = inclusion(2, 8)["proof"]
    grown = consistency(6, 8)["proof"]
    assert isinstance(good, list) and isinstance(grown, list)
    bad = [
        inclusion(2, 8, leafIdx=3),
        inclusion(2, 8, leafIdx=2**64 - 1),
        inclusion(2, 8, treeSize=16),
        inclusion(2, 8, treeSize=4),
        inclusion(2, 8, leafHash=OTHER),
        inclusion(2, 8, root=text(mth([]))),
        inclusion(2, 8, proof=["", *good]),
        inclusion(2, 8, proof=[*good, ""]),
        inclusion(2, 8, proof=good[1:]),
        inclusion(2, 8, proof=[*good, inclusion(2, 8)["root"]]),
        inclusion(0, 1, leafHash="", root=""),
        consistency(6, 8, proof=["", *grown]),
        consistency(6, 8, proof=grown[:-1]),
        consistency(6, 8, size1=7),
        consistency(6, 8, root1=OTHER),
        consistency(6, 8, root2=OTHER),
        consistency(6, 8, proof=None),
        consistency(8, 8, proof=[OTHER]),
        consistency(8, 8, size2=7),
        consistency(0, 1, root1="ZG9uJ3QgY2FyZSAx", root2="ZG9uJ3QgY2FyZSAy"),
        consistency(0, 1, root1=text(mth([])), proof=[]),
    ]
    files = {
        f"{i}.json": json.dumps({**one, "wantErr": True}).encode() for i, one in enumerate(bad)
    }
    cases = judged(files)
    assert len(cases) == len(bad)
    assert [case for case in cases.values() if case.problem] == []
    believed = {name: json.dumps({**json.loads(raw), "wantErr": False}).encode()
                for name, raw in files.items()}  # fmt: skip
    assert all(case.problem.startswith("refused") for case in judged(believed).values())


def test_equal_trees_have_equal_roots_whatever_these_are() -> None:
    """As published: nothing is known of the root of an empty tree but that it is the same."""
    one = consistency(0, 0, root1="ZG9uJ3QgY2FyZSAx", root2="ZG9uJ3QgY2FyZSAx")
    assert judged({"a.json": json.dumps(one).encode()})["a.json"].problem == ""


def test_a_file_that_cannot_be_read_is_a_failed_case() -> None:
    assert "cannot be read" in judged({"a.json": b"{"})["a.json"].problem


def log_files(size: int, base: str) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    edge = OpenTiles()
    entries = [b"entry %d" % number for number in range(size)]
    for start in range(0, size, 256):
        part = entries[start : start + 256]
        files[base + tile_path("entries", start // 256, len(part))] = pack(part)
        for entry in part:
            files.update({base + name: data for name, data in edge.append(leaf_hash(entry))})
    files.update({base + name: data for name, data in edge.partial_tiles()})
    return files | {f"{base}checkpoint": signed(size, edge.root()).encode()}


def test_logs_in_tiles() -> None:
    files = log_files(700, "one/") | log_files(256, "two/deep/") | log_files(0, "")
    cases = judged(files, tile_cases)
    assert [case for case in cases.values() if case.problem] == []
    assert len(cases) == len(files)


def test_each_changed_file_of_a_log_is_found() -> None:
    files = log_files(700, "log/")
    for name in files:
        raw = bytearray(files[name])
        raw[min(40, len(raw) - 1)] ^= 1
        changed = files | {name: bytes(raw)}
        assert [c for c in judged(changed, tile_cases).values() if c.problem], name
    del files["log/tile/0/001"]
    assert "absent" in judged(files, tile_cases)["log/tile/0/001"].problem
