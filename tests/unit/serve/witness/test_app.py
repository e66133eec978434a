"""Does a witness answer over HTTP as C2SP tlog-witness says, also to two requests at once?"""

import json
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flyball.ledger.note import read_note
from flyball.ledger.tree import leaf_hash, root_of
from flyball.ledger.witness import BODY_BYTES_MAX, Submission
from support.signers import LOG, ORIGIN, WITNESSES, signed
from support.witnesses import Running, witness_on

LEAVES = [leaf_hash(b"%d" % number) for number in range(64)]
ME = WITNESSES[0]


@pytest.fixture
def running(tmp_path: Path):
    with witness_on(tmp_path, [ME], {ORIGIN: [LOG.key]}) as found:
        yield found


def post(running: Running, body: bytes) -> tuple[int, str, str]:
    request = urllib.request.Request(f"{running.url}/add-checkpoint", data=body, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers["content-type"], answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers["content-type"], refused.read().decode()


def first(size: int) -> bytes:
    return Submission(0, (), signed(size, root_of(LEAVES[:size]))).text().encode()


def test_a_first_checkpoint_is_cosigned(running: Running) -> None:
    status, _, answer = post(running, first(10))
    assert status == 200
    text = signed(10, root_of(LEAVES[:10])).split("— ")[0]
    assert read_note(text + answer, [ME.key]).signed


def test_a_conflict_tells_the_size_in_its_own_type(running: Running) -> None:
    post(running, first(10))
    assert post(running, first(20)) == (409, "text/x.tlog.size", "10\n")


def test_what_is_too_long_or_of_another_path_or_method(running: Running) -> None:
    assert post(running, b"x" * (BODY_BYTES_MAX + 1))[0] == 413
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(f"{running.url}/add-checkpoint", timeout=10)
    assert post(running, b"hello")[0] == 400


def test_it_tells_who_it_is_and_what_it_saw(running: Running) -> None:
    post(running, first(10))
    with urllib.request.urlopen(f"{running.url}/", timeout=10) as answer:
        assert json.load(answer) == {"keys": [ME.key.text()], "logs": {ORIGIN: 10}}


def test_a_fork_is_told_to_the_operator(running: Running) -> None:
    post(running, first(10))
    assert post(running, Submission(10, (), signed(10, bytes(32))).text().encode())[0] == 409
    assert "does not extend its past (409)" in running.told[0]


def test_of_many_first_checkpoints_at_once_one_is_cosigned(running: Running) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda size: post(running, first(size)), range(1, 33)))
    assert sorted(status for status, _, _ in answers) == [200] + [409] * 31


def test_a_disk_that_refuses_is_an_answer(running: Running, monkeypatch) -> None:
    def refuse(body: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(running.state, "submit", refuse)
    assert post(running, first(10))[0] == 503
    assert running.told == ["nothing can be cosigned: No space left on device"]
