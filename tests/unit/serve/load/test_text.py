"""Does the text report show each class, each cause and each caveat?"""

import msgspec

from flyball.serve.load import text as loadtext
from flyball.serve.load.report import Ledger
from flyball.serve.load.wire import Ending, Exchange, Usage


def _ledger() -> Ledger:
    ledger = Ledger("http://x", {}, 0.0)
    ledger.ended = 2.0
    for label, status in (("chat", 200), ("chat", 429), ("edge", 200)):
        ledger.note_sent(label, 0.2)
        exchange = Exchange(0, label, b"", b"", 1.0)
        exchange.status, exchange.first_at, exchange.last_at = status, 1.5, 2.5
        usage = Usage(100, 3, {"cached_tokens": 25})
        ledger.note_ended(exchange, Ending(usage, "queue_full" if status > 400 else "", True))
    return ledger


def test_rows_causes_and_caveats() -> None:
    report = msgspec.structs.replace(
        _ledger().report(interrupted=True), notes=["a note"], log_check={"lost": 0, "doubled": 0}
    )
    said = loadtext.render(report)
    lines = said.splitlines()
    assert [line.split()[0] for line in lines[:4]] == ["class", "chat", "edge", "total"]
    assert lines[3].split()[1:6] == ["3", "2", "1", "0", "66.7%"]
    assert "chat: refused: queue_full 1" in lines
    assert "NOT OPEN LOOP" in said
    assert "interrupted" in said
    assert "prefix cache: 25.0% of 200 input tokens" in said
    assert "record: lost 0, doubled 0" in lines
    assert lines[-1] == "a note"
    assert len({len(line.rstrip()) for line in lines[:4]}) == 1


def test_empty_run() -> None:
    said = loadtext.render(Ledger("http://x", {}, 0.0).report())
    assert said.splitlines()[1].split()[:3] == ["total", "0", "0"]
    assert "NOT OPEN LOOP" not in said
