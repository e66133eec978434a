"""What would the engine do if every step, job and block were handled one by one?

The witness for `sim/engine.py`: the same rules with no shortcut. It lists physical blocks as vLLM
does, walks the jobs of each step in turn, and adds up step times one at a time. Slow on purpose,
and offline: it takes the whole load at once. `prefix_tokens` is one block here.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from flyball.model.plant import Job, Progress
from flyball.model.profile import Profile
from flyball.sim.batching import VLLM, Batching
from flyball.sim.steptime import StepTime, seconds, ticks_at_or_after
from flyball.units import Seconds


@dataclass
class _Block:
    name: int | None = None
    references: int = 0


@dataclass
class _Sequence:
    job: Job
    seq: int
    generated: int = 0
    computed: int = 0
    target: int = 0
    seen: bool = False
    ready: bool = False
    blocks: list[_Block] = field(default_factory=list[_Block])


class _Pool:
    """Physical blocks: a queue of free ones, and the names by which kept ones are found."""

    def __init__(self, count: int, keep: bool) -> None:
        self.keep = keep
        self.free: OrderedDict[int, _Block] = OrderedDict()
        for _ in range(count):
            block = _Block()
            self.free[id(block)] = block
        self.named: dict[int, _Block] = {}

    def take(self) -> _Block:
        block = self.free.popitem(last=False)[1]
        if block.name is not None:
            del self.named[block.name]
            block.name = None
        block.references = 1
        return block

    def share(self, block: _Block) -> None:
        if not block.references:
            del self.free[id(block)]
        block.references += 1

    def name(self, block: _Block, name: int) -> None:
        if self.keep and block.name is None and name not in self.named:
            block.name = name
            self.named[name] = block

    def give_back(self, blocks: Sequence[_Block]) -> None:
        # Unnamed blocks first, then the named ones from the tail: the engine's order.
        named = [block for block in blocks if block.name is not None]
        for block in [b for b in blocks if b.name is None] + named[::-1]:
            block.references -= 1
            if not block.references:
                if self.keep:
                    self.free[id(block)] = block
                else:
                    self.free[id(block)] = block
                    self.free.move_to_end(id(block), last=False)


class _StepByStep:
    def __init__(
        self,
        profile: Profile,
        load: Sequence[tuple[Seconds, Job]],
        keep: bool,
        batching: Batching,
    ) -> None:
        limits = profile.limits
        self.batching = batching
        self.block = limits.block_tokens
        self.limits = limits
        self.cost = StepTime(profile)
        self.pool = _Pool(limits.kv_tokens_max // limits.block_tokens, keep)
        self.arrivals = [
            (
                at + profile.request_overhead_s,
                _Sequence(job, i, generated=int(job.prefilled), ready=job.prefilled),
            )
            for i, (at, job) in enumerate(load)
        ]
        self.waiting: list[_Sequence] = []
        self.running: list[_Sequence] = []
        self.now = 0
        self.out: list[Progress] = []

    def run(self) -> list[Progress]:
        while self.running or self.waiting or self.arrivals:
            if not self.running and not self.waiting:
                self.now = max(self.now, ticks_at_or_after(self.arrivals[0][0]))
            while self.arrivals and self.arrivals[0][0] <= seconds(self.now):
                self.waiting.append(self.arrivals.pop(0)[1])
            self.step()
        return self.out

    def step(self) -> None:
        if self.batching.mixes:
            preempted = self.grow()
            chunks = self.prompts(sum(s.computed >= s.target for s in self.running), preempted)
        else:
            chunks = self.prompts(0, False)
            if not chunks:
                self.grow()
        decoding = [] if chunks and not self.batching.mixes else self.decoding(chunks)
        kv_tokens = sum(s.computed for s in decoding)
        context = sum(p * (2 * s.computed + p) for s, p in chunks)
        prompt_tokens = sum(p for _, p in chunks)
        if chunks:
            self.now += self.cost.mixed(len(decoding), kv_tokens, prompt_tokens, context)
        else:
            self.now += self.cost.decode(len(decoding), kv_tokens)[0]
        for s in decoding:
            s.computed += 1
            s.generated += 1
        for s, p in chunks:
            s.computed += p
        done = [s for s in decoding if s.generated >= s.job.output_tokens]
        self.finish(sorted(done, key=lambda s: s.seq))
        for s, _ in chunks:
            if s.computed == s.target:
                self.land(s)

    def decoding(self, chunks: list[tuple[_Sequence, int]]) -> list[_Sequence]:
        """Who makes a token in a step with these prompts."""
        partial = [s for s, _ in chunks]
        return [s for s in self.running if s.computed >= s.target and s not in partial]

    def grow(self) -> bool:
        """A block for each decoding sequence that needs one; others give way where none is left."""
        preempted = False
        if not self.batching.mixes:  # SGLang retracts until all have room, then hands out
            while self.short() > len(self.pool.free):
                preempted = True
                self.preempt()
        for s in sorted(self.running, key=lambda s: (s.job.priority, s.seq)):
            if s.computed < s.target or s not in self.running:
                continue
            while s in self.running and s.computed == len(s.blocks) * self.block:
                if self.pool.free:
                    s.blocks.append(self.pool.take())
                    break
                preempted = True
                self.preempt()
        return preempted

    def short(self) -> int:
        return sum(
            s.computed >= s.target and s.computed == len(s.blocks) * self.block
            for s in self.running
        )

    def preempt(self) -> None:
        victim = max(self.running, key=lambda s: self.batching.urgency(s, s.generated))
        self.release(victim)
        self.waiting.append(victim)
        self.tell("preempted", victim, victim.generated)

    def prompts(self, decoding: int, preempted: bool) -> list[tuple[_Sequence, int]]:
        budget = self.limits.step_tokens_max - decoding
        chunks: list[tuple[_Sequence, int]] = []
        for s in self.running:
            if s.computed < s.target:
                chunks.append((s, min(budget, s.target - s.computed)))
                budget -= chunks[-1][1]
                self.name_full(s, s.computed + chunks[-1][1])
        self.waiting.sort(key=lambda s: (s.job.priority, s.seq))
        while self.waiting and budget and not preempted:
            s = self.waiting[0]
            if len(self.running) >= self.limits.seqs_max or not self.admit(s):
                break
            self.running.append(self.waiting.pop(0))
            if s.ready:
                s.ready = False
                budget -= self.batching.mixes
                continue
            chunks.append((s, min(budget, s.target - s.computed)))
            budget -= chunks[-1][1]
            self.name_full(s, s.computed + chunks[-1][1])
        return chunks

    def admit(self, s: _Sequence) -> bool:
        s.target = s.job.input_tokens + (0 if s.ready else s.generated)
        shared: list[_Block] = []
        if self.pool.keep and not s.ready:
            for name in s.job.block_hashes[: (s.target - 1) // self.block]:
                if name not in self.pool.named:
                    break
                shared.append(self.pool.named[name])
        # A ready one decodes at once, where prompts and answers share a step: one token more.
        room = s.target + (s.ready and self.batching.mixes)
        missing = -(-room // self.block) - len(shared)
        if missing + sum(1 for b in shared if not b.references) > len(self.pool.free):
            return False
        for block in shared:
            self.pool.share(block)
        s.blocks = shared + [self.pool.take() for _ in range(missing)]
        s.computed = len(shared) * self.block
        if not s.seen:
            s.seen = True
            self.tell("admitted", s, s.computed)
        if s.ready:
            s.computed = s.target
        return True

    def name_full(self, s: _Sequence, computed: int) -> None:
        full = computed // self.block
        for block, name in zip(s.blocks[:full], s.job.block_hashes, strict=False):
            self.pool.name(block, name)

    def land(self, s: _Sequence) -> None:
        if s.job.output_tokens:
            s.generated += 1
            if s.generated == 1:
                self.tell("first-token", s, 1)
        if s.generated >= s.job.output_tokens:
            self.finish([s])

    def finish(self, done: list[_Sequence]) -> None:
        for s in done:
            self.release(s)
            self.tell("finished", s, s.generated)

    def release(self, s: _Sequence) -> None:
        self.running.remove(s)
        self.name_full(s, s.computed)
        self.pool.give_back(s.blocks)
        s.blocks = []
        s.computed = 0

    def tell(self, kind: str, s: _Sequence, tokens: int) -> None:
        self.out.append(Progress(kind, s.job.id, seconds(self.now), tokens))  # pyright: ignore


def replay(
    profile: Profile,
    load: Sequence[tuple[Seconds, Job]],
    *,
    prefix_cache: bool = True,
    batching: Batching = VLLM,
) -> list[Progress]:
    """Serve `load` (in order of arrival) to its end; the same reports as `Engine.advance`."""
    return _StepByStep(profile, load, prefix_cache, batching).run()
