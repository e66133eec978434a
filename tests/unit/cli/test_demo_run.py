"""Does a part of the demo's fleet that cannot start say so at once, and where to look?"""

from contextlib import ExitStack
from pathlib import Path

import pytest

from flyball.cli import demo_run
from flyball.cli.demo_fleet import REPLICAS


def test_an_engine_that_does_not_start_is_named_with_its_log(tmp_path: Path) -> None:
    with ExitStack() as stack:
        process = demo_run.spawn(stack, ["engine", "--profile", "no/such"], tmp_path / "e.log")
        with pytest.raises(demo_run.DemoFault, match=r"the engine e did not start: see .*e\.log"):
            demo_run.url_of(process, "e", tmp_path)
    assert process.poll() is not None
    assert "no/such" in (tmp_path / "e.log").read_text()


def test_a_gateway_that_does_not_start_is_said_at_once(tmp_path: Path) -> None:
    urls = dict.fromkeys((replica.name for replica in REPLICAS), "not-a-url")
    with ExitStack() as stack, pytest.raises(demo_run.DemoFault, match=r"see .*gateway\.log"):
        demo_run.start_gateway(stack, tmp_path, urls, "enforce")
    assert "the URL has no scheme" in (tmp_path / "gateway.log").read_text()


def test_no_gateway_no_prices() -> None:
    assert demo_run.board(f"http://127.0.0.1:{demo_run.free_port()}") == {}
