"""Does a witness cosign growth alone, and answer all else with the status that C2SP asks for?"""

import random

import pytest

from flyball.ledger.checkpoint import Checkpoint, parse
from flyball.ledger.note import ED25519, NoteError
from flyball.ledger.proof import growth
from flyball.ledger.tiles import OpenTiles
from flyball.ledger.tree import EMPTY_ROOT, leaf_hash, root_of
from flyball.ledger.witness import (
    SIZE_TYPE,
    Submission,
    Verdict,
    cosignature_lines,
    judge_submission,
    parse_known_size,
    parse_submission,
)
from support.signers import LOG, ORIGIN, signed, signer

LEAVES = [leaf_hash(b"%d" % number) for number in range(600)]
HASH = "A" * 43 + "=\n"
FORK = [*LEAVES[:100], *(leaf_hash(b"forged %d" % number) for number in range(100, 600))]


def files_of(leaves: list[bytes]) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    edge = OpenTiles()
    for leaf in leaves:
        files.update(edge.append(leaf))
    return files | dict(edge.partial_tiles())


def wish(old: int, size: int, leaves: list[bytes] = LEAVES) -> Submission:
    proof = growth(old, size, files_of(leaves[:size]).get)
    return Submission(old, proof, signed(size, root_of(leaves[:size])))


class Memory:
    """A witness that keeps what it cosigned in memory."""

    def __init__(self) -> None:
        self.seen: dict[str, Checkpoint] = {}
        self.logs = {ORIGIN: [LOG.key]}

    def ask(self, body: Submission | bytes) -> Verdict:
        raw = body if isinstance(body, bytes) else body.text().encode()
        verdict = judge_submission(raw, self.logs, self.seen.get)
        assert (verdict.status == 200) == (verdict.seen is not None)
        if verdict.seen is not None:
            self.seen[verdict.seen.origin] = verdict.seen
        return verdict


def at(size: int) -> Memory:
    memory = Memory()
    if size:
        assert memory.ask(wish(0, size)).status == 200
    return memory


@pytest.mark.parametrize(
    ("old", "size"), [(0, 1), (0, 600), (1, 2), (100, 300), (256, 512), (300, 300)]
)
def test_growth_is_cosigned(old: int, size: int) -> None:
    verdict = at(old).ask(wish(old, size))
    assert verdict.status == 200
    assert verdict.seen == parse(verdict.text)
    assert (verdict.seen.size, verdict.seen.root) == (size, root_of(LEAVES[:size]))


def test_an_old_size_that_is_not_the_last_one_is_told_the_last_one() -> None:
    memory = at(300)
    for old in (0, 100, 299, 301):
        verdict = memory.ask(wish(old, 400))
        assert (verdict.status, verdict.body, verdict.content_type) == (409, "300\n", SIZE_TYPE)
        assert not verdict.is_suspect
    assert Memory().ask(wish(10, 20)).body == "0\n"


def test_a_roll_back_is_never_cosigned() -> None:
    memory = at(300)
    assert memory.ask(wish(0, 200)).status == 409
    assert memory.ask(wish(200, 200)).status == 409
    body = wish(0, 200).text().replace("old 0", "old 300").encode()
    assert memory.ask(body).status == 400
    assert memory.seen[ORIGIN].size == 300


def test_a_fork_of_the_same_size_is_a_conflict_and_evidence() -> None:
    memory = at(300)
    verdict = memory.ask(Submission(300, (), signed(300, root_of(FORK[:300]))))
    assert (verdict.status, verdict.body) == (409, "300\n")
    assert verdict.is_suspect and "300" in verdict.note


def test_a_fork_that_grew_is_unprocessable_and_evidence() -> None:
    memory = at(300)
    verdict = memory.ask(wish(300, 400, FORK))
    assert verdict.status == 422
    assert verdict.is_suspect
    assert memory.seen[ORIGIN].root == root_of(LEAVES[:300])


def test_random_submissions_never_leave_the_one_line_of_history() -> None:
    """Whatever comes in whichever order, what is cosigned is one growing list."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    chance = random.Random(seed)
    memory, cosigned = Memory(), []
    for _ in range(60):
        old, size = sorted(chance.choices(range(601), k=2))
        leaves = chance.choice([LEAVES, FORK])
        last = memory.seen.get(ORIGIN)
        old = last.size if last and chance.random() < 0.7 and last.size <= size else old
        if memory.ask(wish(old, size, leaves)).status == 200:
            cosigned.append(memory.seen[ORIGIN])
    assert [one.size for one in cosigned] == sorted(one.size for one in cosigned)
    for one in cosigned:
        newest = LEAVES if cosigned[-1].root == root_of(LEAVES[: cosigned[-1].size]) else FORK
        assert one.root == root_of(newest[: one.size])


def test_a_proof_too_long_too_short_or_for_nothing_is_unprocessable() -> None:
    memory = at(300)
    good = wish(300, 400)
    for proof in (good.proof[:-1], (*good.proof, bytes(32)), ()):
        assert memory.ask(Submission(300, proof, good.note)).status == 422
    assert at(0).ask(Submission(0, (bytes(32),), good.note)).status == 422
    assert memory.ask(Submission(300, (bytes(32),), wish(300, 300).note)).status == 422


def test_an_empty_log_has_one_root_only() -> None:
    assert at(0).ask(Submission(0, (), signed(0, EMPTY_ROOT))).status == 200
    assert at(0).ask(Submission(0, (), signed(0, bytes(32)))).status == 422
    memory = at(0)
    assert memory.ask(Submission(0, (), signed(0, EMPTY_ROOT))).status == 200
    assert memory.ask(wish(0, 10)).status == 200


def test_an_unknown_origin_is_not_found() -> None:
    other = signer("log.example/us", 2, ED25519)
    verdict = at(0).ask(Submission(0, (), signed(5, bytes(32), log=other)))
    assert verdict.status == 404


def test_a_stranger_s_signature_is_forbidden() -> None:
    forged = signed(5, root_of(LEAVES[:5]), log=signer(ORIGIN, 2, ED25519))
    assert at(0).ask(Submission(0, (), forged)).status == 403
    text, _, _ = signed(5, root_of(LEAVES[:5])).rpartition("— ")
    assert at(0).ask(Submission(0, (), text)).status == 403
    changed = signed(5, root_of(LEAVES[:5])).replace("\n5\n", "\n6\n")
    assert at(0).ask(Submission(0, (), changed)).status == 403


def test_any_key_of_the_origin_will_do() -> None:
    new = signer(ORIGIN, 9, ED25519)
    memory = at(10)
    memory.logs[ORIGIN].append(new.key)
    by_new = Submission(10, wish(10, 20).proof, signed(20, root_of(LEAVES[:20]), log=new))
    assert memory.ask(by_new).status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        b"old 00\n\n" + signed(5, bytes(32)).encode(),
        b"old -1\n\n" + signed(5, bytes(32)).encode(),
        b"new 0\n\n" + signed(5, bytes(32)).encode(),
        b"old 0\nAAAA\n\n" + signed(5, bytes(32)).encode(),
        f"old 0\n{HASH * 64}\n{signed(5, bytes(32))}".encode(),
        b"old 0\n\n\xff\xfe",
        b"old 0\n\nno checkpoint\n\n",
    ],
)
def test_what_is_no_submission_is_a_bad_request(body: bytes) -> None:
    assert at(0).ask(body).status == 400


def test_the_body_comes_back() -> None:
    one = wish(100, 300)
    assert parse_submission(one.text().encode()) == one


def test_the_answer_is_made_of_signature_lines() -> None:
    assert cosignature_lines("— a AAAA\n— b BBBB\n") == ["— a AAAA\n", "— b BBBB\n"]
    for text in ("", "— a AAAA", "hello\n", "— a AAAA\nhello\n"):
        with pytest.raises(NoteError):
            cosignature_lines(text)
    assert parse_known_size("300\n") == 300
    for text in ("", "300", "0300\n", "x\n"):
        with pytest.raises(NoteError):
            parse_known_size(text)
