"""Does a run that was shipped give the bytes of one here, and is a missing Ray told?

The cluster itself is tested in tests/real/test_ray.py, with a real one.
"""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from flyball.cli import sim_input, sim_pool, sim_ray
from flyball.cli.sweep import command
from support.worlds import data

TRACE = "arrival_s,input_tokens,output_tokens\n" + "".join(f"{i},100,10\n" for i in range(11))


def scenario(folder: Path, **changes: object) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "small.yaml"
    file.write_text(json.dumps(data(duration_s=5, **changes)))
    return file


def test_a_shipped_run_gives_the_same_bytes(tmp_path: Path) -> None:
    file = scenario(tmp_path)
    with sim_pool.pool(1) as workers:
        plan = sim_input.load(str(file), ("seed=3",))
        there = workers.submit(sim_ray.run_shipped, plan, sim_ray.contents(plan)).result()
    assert there == sim_pool.run_one(str(file), ("seed=3",))


def test_its_files_go_with_it_whatever_they_are_called(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(TRACE)
    work = {"trace": {"file": "../t.csv", "rate": 4}}
    file = scenario(tmp_path / "inner", workload=work)
    plan = sim_input.load(str(file))
    files = sim_ray.contents(plan)
    here = sim_pool.run_one(str(file), ())
    assert files == {"../t.csv": TRACE.encode()}
    (tmp_path / "t.csv").unlink()
    assert sim_ray.run_shipped(plan, files) == here
    with pytest.raises(sim_input.CannotSimulate, match=r"t\.csv: No such file"):
        sim_ray.contents(plan)


def test_where_is_here_or_a_cluster(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sim_ray, "find_spec", lambda name: object())
    parameter = click.Option(["--on"])
    ctx = click.Context(command)
    for said in ("here", "ray", "ray://head:10001"):
        assert sim_ray.checked(ctx, parameter, said) == said
    with pytest.raises(click.BadParameter, match="ray://HOST:PORT"):
        sim_ray.checked(ctx, parameter, "http://head")
    monkeypatch.setattr(sim_ray, "find_spec", lambda name: None)
    said = [str(scenario(tmp_path)), "--out", str(tmp_path / "out"), "--on", "ray"]
    found = CliRunner().invoke(command, said)
    assert found.exit_code == 2 and "pip install 'flyball[ray]'" in found.stderr
    assert not (tmp_path / "out").exists()
