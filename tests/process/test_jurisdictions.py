"""Do two logs of one gateway tell one whole story after it was killed under load, copy included?"""

import signal
import threading
import time
from pathlib import Path

from click.testing import CliRunner

from flyball.cli import main
from flyball.model.decision import Intent, Outcome
from flyball.serve.log.reader import open_log


def ask_until_gone(found, answers: list[bytes]) -> None:
    while True:
        try:
            answers.append(found.ask())
        except (OSError, AssertionError):
            return


def test_a_kill_leaves_two_sound_logs_and_copies(engines, gateway, tmp_path: Path) -> None:
    for name in ("own-copy", "no-copy"):
        (tmp_path / name).mkdir()
    section = (
        f"  mirror: file://{tmp_path}/own-copy\n"
        f"  jurisdictions: {{NO: {{folder: no, mirror: 'file://{tmp_path}/no-copy'}}}}\n"
    )
    two = engines(2)
    found = gateway(two, ledger=section)
    answers: list[bytes] = []
    threads = [threading.Thread(target=ask_until_gone, args=(found, answers)) for _ in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(3.0)
    found.signal(signal.SIGKILL)
    for thread in threads:
        thread.join(10)
    assert len(answers) > 50
    again = gateway(two, ledger=section)
    for _ in range(20):
        assert b" 200 " in again.ask()[:20]
    assert again.end() == 0
    ran = [one.record for one in open_log(tmp_path / "no").records()]
    own = [one.record for one in open_log(tmp_path / "log").records()]
    assert ran and all(isinstance(one, Intent | Outcome) for one in ran)
    assert not any(isinstance(one, Intent) for one in own)
    served = sum(isinstance(one, Outcome) and one.outcome == "served" for one in ran)
    # Records are durable some 20 ms after the answer: what those hold may be lost, no more.
    assert served >= 20 + len(answers) - 50, (served, len(answers))
    for places in (("log", "no"), ("own-copy", "no-copy")):
        names = [str(tmp_path / name) for name in places]
        if "copy" in places[0]:
            names = [f"file://{name}" for name in names]
        result = CliRunner().invoke(main, ["verify", *names])
        assert result.exit_code == 0, result.output
        assert "decisions" in result.stdout
