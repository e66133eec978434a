"""Does a gateway commit to every prompt and answer, and is no secret in any file it writes?"""

import json
import os
import signal
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from flyball.authority.mandates.blocks import Limits
from flyball.authority.mandates.grant import grant
from flyball.authority.revocation.signer import key_text
from flyball.cli import main
from flyball.model.acts import Commitment
from flyball.model.decision import Intent, Outcome
from flyball.serve.log.reader import open_log
from flyball.serve.log.vault import Vault, read_master
from support.mandates import ANNA, ROOT

PROMPT = "the prompt that nobody may find"
OPAQUE = "sk-opaque-key-that-nobody-may-find"
ADMIN = "sk-admin-key-that-nobody-may-find"


def body(**change: object) -> bytes:
    told = {
        "model": "m",
        "stream": True,
        "max_tokens": 3,
        "messages": [{"role": "user", "content": PROMPT}],
    }
    return json.dumps(told | change).encode()


def send(port: int, key: str = "", raw: bytes = b"", path: str = "/v1/chat/completions"):
    """(status, body) on a connection of its own, so that any worker may get it."""
    fields = {"content-type": "application/json"}
    if key:
        fields["authorization"] = f"Bearer {key}"
    address = f"http://127.0.0.1:{port}{path}"
    try:
        asked = urllib.request.Request(address, raw or body(), fields)
        with urllib.request.urlopen(asked, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def master_in(folder: Path) -> Path:
    path = folder / "master.key"
    if not path.exists():
        path.write_text(os.urandom(32).hex() + "\n")
    return path


def section(folder: Path, more: str = "") -> str:
    return f"  commit: true\n  master: {master_in(folder)}\n{more}"


def records(folder: Path, kind: type) -> list:
    return [e.record for e in open_log(folder).records() if isinstance(e.record, kind)]


@pytest.mark.parametrize("workers", [1, 2])
def test_each_exchange_is_committed_to_and_sealed_where_it_ran(
    engines, gateway, tmp_path: Path, workers: int
) -> None:
    more = "  seal: true\n  jurisdictions: {NO: {folder: no, vault: no-vault}}\n"
    found = gateway(engines(1), workers=workers, ledger=section(tmp_path, more))
    answers = [send(found.port, raw=body(n=number)) for number in range(1, 9)]
    assert {status for status, _ in answers} == {200}
    assert found.end() == 0, found.told
    made = records(tmp_path / "no", Commitment)
    assert not records(tmp_path / "log", Commitment)
    intents = {one.id for one in records(tmp_path / "no", Intent)}
    assert len(made) == 8 and {one.id for one in made} == intents
    vault = Vault(tmp_path / "no-vault", read_master(master_in(tmp_path)))
    texts = set()
    for one in made:
        assert one.is_sealed and not one.is_cut and one.subject == vault.tag("anonymous")
        asked, said = (vault.open("anonymous", one.at, one.id, p) for p in ("prompt", "answer"))
        assert one.prompt == vault.commit("anonymous", one.at, "prompt", asked)
        assert one.answer == vault.commit("anonymous", one.at, "answer", said)
        texts.add((asked, said))
    assert texts == {(body(n=n), said) for n, (_, said) in enumerate(answers, 1)}
    result = CliRunner().invoke(main, ["verify", str(tmp_path / "log"), str(tmp_path / "no")])
    assert result.exit_code == 0, result.output


def test_a_stream_that_is_cut_is_committed_to_as_far_as_it_went(
    engines, gateway, tmp_path: Path
) -> None:
    found = gateway(engines(1, 0.05), ledger=section(tmp_path, "  seal: true\n"))
    sock = found.connect()
    raw = body(max_tokens=1000)
    sock.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(raw)
        + raw
    )
    got = b""
    while got.count(b"choices") < 3:
        got += sock.recv(65536)
    sock.close()
    time.sleep(0.3)
    assert found.end() == 0
    (one,) = records(tmp_path / "log", Commitment)
    vault = Vault(tmp_path / "vault", read_master(master_in(tmp_path)))
    said = vault.open("anonymous", one.at, one.id, "answer")
    event = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\n'
    assert len(said) >= 3 * len(event) and said == event * (len(said) // len(event))


def test_a_vault_that_cannot_be_written_stops_admission_until_it_can(
    engines, gateway, tmp_path: Path
) -> None:
    (tmp_path / "vault").write_text("in the way")
    found = gateway(engines(1), ledger=section(tmp_path))
    assert send(found.port)[0] == 200
    ends = time.monotonic() + 10
    while (got := send(found.port))[0] != 503:
        assert time.monotonic() < ends
    assert json.loads(got[1])["error"]["code"] == "ledger_unavailable"
    (tmp_path / "vault").unlink()
    while send(found.port)[0] != 200:
        assert time.monotonic() < ends
    assert found.end() == 0
    served = [one for one in records(tmp_path / "log", Outcome) if one.outcome == "served"]
    assert len(records(tmp_path / "log", Commitment)) == len(served)


def test_without_a_master_key_the_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "fleet.yaml"
    text = (
        "version: v1\nsites: {s: {jurisdiction: NO}}\n"
        "pools: {p: {site: s, engine: vllm, profile: h100/llama-3.1-8b, models: [m],\n"
        "  endpoints: ['http://127.0.0.1:9']}}\nclasses: {c: {value_usd: 0.01}}\n"
    )
    for more, said in (
        ("ledger: {commit: true}\n", "commitments need a master key"),
        ("ledger: {commit: true, master: none.key}\n", "holds no master key"),
        ("ledger: {seal: true}\n", "texts are sealed, but not committed to"),
    ):
        file.write_text(text + more)
        result = CliRunner().invoke(main, ["check", str(file)])
        assert result.exit_code == 1 and said in result.output + result.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_no_secret_is_in_any_file_page_or_message(
    engines, gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, workers: int
) -> None:
    """Keys, tokens, prompts and answers, also where things go wrong; sealed texts are encrypted."""
    monkeypatch.setenv("FLYBALL_TEST_ADMIN", ADMIN)
    now = time.time()
    token, poor = (
        grant(ROOT, ANNA, Limits(expires_at=now + 600, budget_micro_usd=budget), now - 1)
        for budget in (1_000_000, 1)
    )
    extra = (
        f'authority:\n  roots: {{"1": "{key_text(ROOT.public)}"}}\n'
        "admin: {key_env: FLYBALL_TEST_ADMIN}\n"
    )
    two = engines(2)
    ledger = section(tmp_path, "  seal: true\n")
    found = gateway(two, workers=workers, extra=extra, ledger=ledger)
    answers = [send(found.port, token) for _ in range(12)]
    answers += [
        send(found.port),
        send(found.port, OPAQUE),
        send(found.port, poor),
        send(found.port, token[:-4]),
        send(found.port, token + "x" * 5000),
        send(found.port, token, body(model="nope")),
        send(found.port, token, body(messages=PROMPT)),
        send(found.port, token, b"{" + PROMPT.encode()),
        send(found.port, token, body(), f"/v1/nothing/{OPAQUE}"),
        send(found.port, token, body(max_tokens=PROMPT)),
    ]
    hold = b'{"act": "hold", "loop": "nothing"}'
    answers += [send(found.port, key, hold, "/v1/flyball/loops") for key in (ADMIN, ADMIN[:-1])]
    assert answers[0][0] == 200 and {status for status, _ in answers} >= {400, 401, 404}
    pages = [json.dumps(found.page("/v1/flyball/fleet")), found.page("/metrics")]
    two[0].metrics = two[1].metrics = "garbage"
    for pid in found.children():
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.5)
    assert found.end() == 0, found.told
    seen = [found.told.encode(), *(page.encode() for page in pages)]
    held = (tmp_path / "vault").rglob("*")
    files = [path for path in (*(tmp_path / "log").rglob("*"), *held) if path.is_file()]
    assert records(tmp_path / "log", Commitment) and len(files) > 8
    seen += [str(path).encode() + path.read_bytes() for path in files]
    payload = token.removeprefix("sk-fly-")[8:48]
    said = b'"delta":{"content":"x"}'
    for secret in (OPAQUE.encode(), ADMIN.encode(), payload.encode(), PROMPT.encode(), said):
        found_in = [text[:300] for text in seen if secret in text]
        assert not found_in, (secret, found_in)
    told = [text for status, text in answers if status >= 400]
    for secret in (ADMIN[:-1].encode(), payload.encode(), PROMPT.encode()):
        assert not [text for text in told if secret in text], secret
