"""Does a replica keep its engine's exact times, stretch them when slow, and count its costs?"""

import math

import pytest
from msgspec.structs import replace

from flyball.dialects.profiles import profile
from flyball.model.fleet import Endpoint, Pool
from flyball.model.plant import Job, PlantState, Progress
from flyball.model.split import Split
from flyball.sim.clock import Clock
from flyball.sim.disagg import Disaggregated
from flyball.sim.oracle import replay
from flyball.sim.replica import Replica

H100 = profile("h100/llama-3.1-8b")
POOL = Pool(name="h100", site="far", models=("m",), engine="vllm", profile=H100)
JOBS = [(0.5 * i, Job(f"j{i}", 700 + 100 * i, 20 + i)) for i in range(6)]


class Bench:
    """A replica on a clock of its own, and what was told of each job."""

    def __init__(self, pool: Pool = POOL) -> None:
        self.clock = Clock()
        self.told: list[tuple[str, str, float]] = []
        endpoint = Endpoint(name="h100-0", pool="h100", url="")
        self.replica = Replica(0, endpoint, pool, self.clock, self.progress)

    def progress(self, waiter: str, progress: Progress) -> None:
        assert waiter == f"for {progress.job}"
        self.told.append((progress.kind, progress.job, self.clock.now))

    def submit(self, job: Job) -> None:
        assert self.replica.submit(job, f"for {job.id}")

    def run(self, until: float = 60.0) -> dict[tuple[str, str], float]:
        for at, job in JOBS:
            self.clock.at(at, self.submit, job)
        self.clock.run(until)
        self.replica.close()
        return {(kind, job): at for kind, job, at in self.told}


def test_its_times_are_the_engine_s() -> None:
    # Admission is told with what follows it; tokens leave at their exact times.
    found = {key: at for key, at in Bench().run().items() if key[0] != "admitted"}
    told = replay(H100, JOBS)
    assert found == {(p.kind, p.job): p.at for p in told if p.kind != "admitted"}


def test_engines_that_share_the_work_are_one_replica_and_all_are_paid_for() -> None:
    split = Split(
        engine=H100, prefill=1, decode=2, link_bytes_s=5e10, kv_token_bytes=131_072, parts=32
    )
    pool = replace(POOL, profile=split.as_one(), split=split)
    bench = Bench(pool)
    found = {key: at for key, at in bench.run().items() if key[0] != "admitted"}
    alone = Disaggregated(split)
    for at, job in JOBS:
        alone.submit(at, job)
    told = alone.advance(math.inf)
    assert found == {(p.kind, p.job): p.at for p in told if p.kind != "admitted"}
    replica, state = bench.replica, alone.snapshot()
    assert replica.usd == pytest.approx(3 * H100.usd_per_hour / 60.0)
    assert replica.busy_s == pytest.approx(state.busy_s)
    idle_joules = 3 * H100.power.idle_watts * (60.0 - state.busy_s)
    assert replica.joules == pytest.approx(state.joules + idle_joules)
    assert replica.output_tokens == sum(job.output_tokens for _, job in JOBS)


def test_an_engine_batches_by_its_kind() -> None:
    # A prompt that comes while another answers: SGLang lets that answer pause.
    load = ((0.0, Job("a", 400, 50)), (0.1, Job("b", 1900, 1)))
    ends: dict[str, float] = {}
    for kind in ("vllm", "sglang"):
        bench = Bench(replace(POOL, engine=kind))
        for at, job in load:
            bench.clock.at(at, bench.submit, job)
        bench.clock.run(60.0)
        ends |= {f"{kind} {job}": at for what, job, at in bench.told if what == "finished"}
    assert ends["sglang b"] < ends["vllm b"]
    assert ends["sglang a"] > ends["vllm a"]


def test_a_defect_stretches_time_from_its_beginning_on() -> None:
    whole, slow = Bench(), Bench()
    slow.clock.at(0.0, lambda _: slow.replica.set_defect(2.0))
    plain, late = whole.run(), slow.run()
    first, second = plain["finished", "j0"], late["finished", "j0"]
    assert second == pytest.approx(2.0 * first)
    assert all(late[key] > at for key, at in plain.items() if key[0] == "finished")


def test_a_defect_that_ends_leaves_later_work_as_it_was() -> None:
    bench = Bench()
    bench.clock.at(0.1, lambda _: bench.replica.set_defect(3.0))
    bench.clock.at(0.3, lambda _: bench.replica.set_defect(1.0))
    found, plain = bench.run(), Bench().run()
    assert found["finished", "j0"] == pytest.approx(0.1 + 3 * (plain["finished", "j0"] - 0.1))
    assert found["finished", "j5"] == pytest.approx(plain["finished", "j5"])


def test_energy_and_time_are_counted_once() -> None:
    bench = Bench()
    bench.clock.every(0.7, bench.replica.settle, 0.7)
    bench.run(until=20.0)
    settled, plain = bench.replica, Bench()
    plain.run(until=20.0)
    assert settled.on_s == pytest.approx(20.0)
    assert settled.joules == pytest.approx(plain.replica.joules)
    assert settled.busy_s == pytest.approx(plain.replica.busy_s)
    idle_s = 20.0 - settled.busy_s
    assert settled.joules > H100.power.idle_watts * 20.0
    assert settled.joules < H100.power.idle_watts * idle_s + H100.power.full_watts * settled.busy_s
    assert settled.output_tokens == sum(job.output_tokens for _, job in JOBS)
    assert settled.prompt_tokens == sum(job.input_tokens for _, job in JOBS)


def test_a_lost_replica_names_who_waited_and_comes_back_empty() -> None:
    bench = Bench()
    lost: list[str] = []
    bench.clock.at(0.05, lambda _: lost.extend(bench.replica.lose()))
    bench.clock.at(0.4, lambda _: bench.replica.come_back())
    found = bench.run()
    assert lost == ["for j0"]
    assert ("finished", "j0") not in found
    assert ("finished", "j5") in found
    assert bench.replica.on_s == pytest.approx(59.65)


def test_a_draining_replica_finishes_its_work_and_stops_costing() -> None:
    bench = Bench()
    bench.clock.at(0.0, bench.submit, JOBS[0][1])
    bench.clock.at(0.01, lambda _: bench.replica.drain())
    bench.clock.run(30.0)
    assert bench.told[-1][:2] == ("finished", "j0")
    assert bench.replica.life == "off"
    assert bench.replica.on_s == pytest.approx(bench.told[-1][2])


def test_a_starting_replica_is_paid_for_and_becomes_ready() -> None:
    bench = Bench()
    bench.replica.turn_off()
    ready: list[float] = []
    bench.clock.at(
        2.0, lambda _: bench.replica.start(5.0, lambda one: ready.append(bench.clock.now))
    )
    bench.clock.run(10.0)
    assert not bench.replica.jobs and ready == [7.0]
    bench.replica.close()
    assert bench.replica.on_s == pytest.approx(8.0)


def test_a_cancelled_job_is_told_of_no_more() -> None:
    bench = Bench()
    bench.clock.at(0.0, bench.submit, JOBS[0][1])
    bench.clock.at(0.05, bench.replica.cancel, "j0")
    bench.clock.run(5.0)
    assert [kind for kind, _, _ in bench.told] == ["admitted", "first-token"]


def test_an_empty_engine_s_reading_is_kept_until_work_comes() -> None:
    bench = Bench()
    states: list[PlantState] = []
    for at in (0.01, 0.2, 0.3, 0.55, 50.0, 51.0):
        bench.clock.at(at, lambda _: states.append(bench.replica.read()))
    bench.run()
    assert [one.running for one in states] == [1, 0, 0, 1, 0, 0]
    assert states[1] is states[2] and states[4] is states[5]
    assert states[4].output_tokens == sum(job.output_tokens for _, job in JOBS)
