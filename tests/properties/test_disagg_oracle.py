"""Do disaggregated engines equal single steps, request by request, however they are driven?

The witness is offline: at each arrival it replays, step by step, all that came before, to see which
queues are shortest then; nothing flows back from decode to prefill, so the past stays as it was.
"""

import math
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from flyball.model.plant import Job, Progress
from flyball.model.profile import EngineLimits, PowerCurve, Profile, StepCost
from flyball.model.split import Split
from flyball.sim.batching import SGLANG, VLLM, Batching
from flyball.sim.disagg import Disaggregated
from flyball.sim.oracle import replay

Load = list[tuple[float, Job]]
Times = dict[tuple[str, str], tuple[float, int]]
SECONDS = 1e-9


@dataclass
class Witness:
    split: Split
    prefix_cache: bool
    batching: Batching
    prefill: dict[str, int] = field(default_factory=dict[str, int])
    decode: dict[str, int] = field(default_factory=dict[str, int])

    def serve(self, load: Load) -> list[Progress]:
        for k, (at, job) in enumerate(load):
            over = {one.job: one for one in self.flow(load[:k]) if one.kind == "finished"}
            landed = {one.job for one in self.prompts(load[:k]) if one.kind == "finished"
                      and one.at <= at}  # fmt: skip
            queues = [0] * self.split.prefill
            inside = [0] * self.split.decode
            for _, other in load[:k]:
                if other.id not in landed:
                    queues[self.prefill[other.id]] += other.input_tokens
                if over[other.id].at > at:
                    inside[self.decode[other.id]] += 1
            self.prefill[job.id] = queues.index(min(queues))
            self.decode[job.id] = inside.index(min(inside))
        return self.flow(load)

    def prompts(self, load: Load) -> list[Progress]:
        told: list[Progress] = []
        for one in range(self.split.prefill):
            mine = [
                (at, replace(job, output_tokens=min(1, job.output_tokens)))
                for at, job in load
                if self.prefill[job.id] == one
            ]
            told += self.steps(mine)
        return told

    def steps(self, load: Load) -> list[Progress]:
        return replay(
            self.split.engine, load, prefix_cache=self.prefix_cache, batching=self.batching
        )

    def flow(self, load: Load) -> list[Progress]:
        jobs = {job.id: (number, job) for number, (_, job) in enumerate(load)}
        prompts = self.prompts(load)
        begun = {one.job: one.at for one in prompts if one.kind == "admitted"}
        out = [
            one for one in prompts
            if one.kind != "finished" or jobs[one.job][1].output_tokens <= 1
        ]  # fmt: skip
        arrivals: list[tuple[float, int, Job]] = []
        for engine in range(self.split.prefill):
            free = 0.0
            for one in prompts:
                number, job = jobs[one.job]
                if one.kind != "finished" or self.prefill[one.job] != engine:
                    continue
                if job.output_tokens > 1:
                    free = self.by_parts(begun[one.job], one.at, free, job.input_tokens)
                    arrivals.append((free + self.split.link_latency_s, number, job))
        arrivals.sort(key=lambda one: one[:2])
        for engine in range(self.split.decode):
            mine = [
                (at, replace(job, prefilled=True))
                for at, _, job in arrivals
                if self.decode[job.id] == engine
            ]
            out += [one for one in self.steps(mine) if one.kind != "admitted"]
        return out

    def by_parts(self, begun: float, done: float, free: float, tokens: int) -> float:
        """Each part is sent when it is computed and the one before it has gone."""
        parts = self.split.parts
        each = tokens * self.split.kv_token_bytes / self.split.link_bytes_s / parts
        for part in range(1, parts + 1):
            computed = begun + (done - begun) * part / parts if part < parts else done
            free = max(free, computed) + each
        return free


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    block = draw(st.sampled_from([1, 4, 16]))
    seqs = draw(st.sampled_from([1, 2, 4, 16]))
    return Profile(
        name="drawn", accelerator="x", model="m",
        decode=StepCost(draw(st.sampled_from([0.01, 0.0067])), 2e-5, 5e-8),
        mixed=StepCost(draw(st.sampled_from([0.01, 0.007])), 2e-5, 7e-8, 2.5e-5, 2.7e-9),
        limits=EngineLimits(
            seqs_max=seqs, step_tokens_max=draw(st.sampled_from([seqs, 16, 64])),
            kv_tokens_max=block * draw(st.sampled_from([8, 20, 64])), block_tokens=block,
        ),
        power=PowerCurve(100.0, 700.0),
        request_overhead_s=draw(st.sampled_from([0.0, 0.003])),
    )  # fmt: skip


@st.composite
def splits(draw: st.DrawFn) -> Split:
    # Rates that meet no step's end by chance: there a rounding of the last bit would decide.
    return Split(
        engine=draw(profiles()),
        prefill=draw(st.integers(1, 3)),
        decode=draw(st.integers(1, 3)),
        link_bytes_s=draw(st.sampled_from([1013.317, 24_989.71, 1_000_003.9, math.inf])),
        link_latency_s=draw(st.sampled_from([0.0, 0.0021731])),
        kv_token_bytes=draw(st.sampled_from([0.0, 8.0])),
        parts=draw(st.sampled_from([1, 1, 2, 5])),
    )


@st.composite
def loads(draw: st.DrawFn, profile: Profile) -> Load:
    room, block = profile.limits.kv_tokens_max, profile.limits.block_tokens
    at, load = 0.0, []
    for i in range(draw(st.integers(1, 12))):
        at += draw(st.sampled_from([0.0, 0.0, 0.01, 0.0137, 0.05, 1.0]))
        tokens = draw(st.integers(1, min(room // 2, 60)))
        output = draw(st.integers(0, min(room - tokens, 30)))
        shared = draw(st.integers(0, 20))
        hashes = tuple(
            k if k < shared else 10**6 + i * 1000 + k for k in range((tokens + output) // block)
        )
        load.append((at, Job(f"j{i}", tokens, output, hashes, draw(st.sampled_from([0, 0, 1])))))
    return load


def times(told: list[Progress]) -> Times:
    """What happened to each job, and when; several preemptions are told apart."""
    found: Times = {}
    for one in told:
        kind, again = str(one.kind), 0
        while (one.job, kind) in found:
            again += 1
            kind = f"{one.kind} {again}"
        found[one.job, kind] = (one.at, one.tokens)
    return found


def same(got: Times, want: Times) -> None:
    assert got.keys() == want.keys()
    for key, (at, tokens) in want.items():
        assert abs(got[key][0] - at) <= SECONDS, key
        assert got[key][1] == tokens, key


@settings(max_examples=150, deadline=None)
@given(st.data(), splits(), st.booleans(), st.sampled_from([VLLM, SGLANG]))
def test_events_equal_steps(
    data: st.DataObject, split: Split, prefix_cache: bool, batching: Batching
) -> None:
    load = data.draw(loads(split.engine))
    want = times(Witness(split, prefix_cache, batching).serve(load))
    plant = Disaggregated(split, prefix_cache=prefix_cache, batching=batching)
    for at, job in load:
        assert plant.submit(at, job)
    told = plant.advance(math.inf)
    assert [one.at for one in told] == sorted(one.at for one in told)
    same(times(told), want)
    state = plant.snapshot()
    assert (state.running, state.waiting, state.kv_blocks_used) == (0, 0, 0)
    assert state.output_tokens == sum(job.output_tokens for _, job in load)
    assert plant.next_at() is None


@settings(max_examples=150, deadline=None)
@given(st.data(), splits())
def test_small_steps_of_the_clock_change_nothing(data: st.DataObject, split: Split) -> None:
    load = data.draw(loads(split.engine))
    want = times(Witness(split, True, VLLM).serve(load))
    plant = Disaggregated(split)
    told: list[Progress] = []
    now, todo = 0.0, list(load)
    while True:
        due = plant.next_at()
        if todo and (due is None or todo[0][0] <= due):
            now = todo[0][0]
            if data.draw(st.booleans()):
                told += plant.advance(now)
            while todo and todo[0][0] == now:
                plant.submit(*todo.pop(0))
            continue
        if due is None:
            break
        between = now + (due - now) * data.draw(st.sampled_from([0.0, 0.3, 0.99, 1.0]))
        told += plant.advance(max(now, between))
        plant.snapshot()
        now = max(now, due)
        told += plant.advance(now)
    same(times(told), want)
