"""By which rules does splitwise-sim serve a trace, and when does each answer begin and end?

Written from its public rules (Mutinifni/splitwise-sim at 3780880: `scheduler.py`,
`TokenJSQScheduler`; `instance.py`, `SplitwiseInstance`): a request goes to the instance with the
fewest pending tokens; whole prompts first, as many as `BATCH_TOKENS` hold (one always), then tokens
of those that run, `BATCH_MAX` at most; KV memory bounds who may join. A run of pure token
iterations lasts until the shortest answer ends, each at the time of the first, and is paused at the
next iteration by whoever comes. Left out: its logs, its links, its router's overheads, preemption.
Its step tables are of another model; the step is the one of `rival_vidur.py`.
"""

from collections import deque
from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from math import floor

# Its defaults (configs/start_state/baseline.yaml): 512 requests and 2,048 tokens a batch.
BATCH_MAX, BATCH_TOKENS = 512, 2048
# Tokens of KV beside the weights of an 8B model in bf16 on 80 GB.
KV_TOKENS = 450_000
STEP_S, REQUEST_S, PROMPT_TOKEN_S = 6.7e-3, 0.088e-3, 0.025e-3

Ask = tuple[float, int, int]  # at, prompt tokens, answer tokens
Times = tuple[float, float]  # first token, last token


class Instance:
    """One replica; `epoch` tells a paused run's end from the one that holds."""

    def __init__(self) -> None:
        self.prompts: deque[tuple[int, int, int]] = deque()  # number, prompt, answer
        self.batch: dict[int, int] = {}  # number -> answer tokens still to make
        self.starting: list[tuple[int, int, int]] = []
        self.pending_tokens = 0
        self.kv_tokens = 0
        self.epoch = 0
        self.begun = self.step_s = 0.0
        self.count = 0

    def begin(self, now: float) -> float | None:
        """Choose the next batch; when its run of iterations ends, None = there is nothing to do."""
        prompts, tokens = self.prompts, 0
        while prompts and len(self.batch) + len(self.starting) < BATCH_MAX:
            _, prompt, answer = prompts[0]
            if tokens and tokens + prompt > BATCH_TOKENS:
                break
            if self.kv_tokens + prompt + answer > KV_TOKENS:
                break
            self.starting.append(prompts.popleft())
            tokens += prompt
            self.kv_tokens += prompt + answer
        if not self.starting and not self.batch:
            return None
        seqs = len(self.batch) + len(self.starting)
        self.step_s = STEP_S + REQUEST_S * seqs + PROMPT_TOKEN_S * tokens
        self.count = 1 if self.starting else min(self.batch.values())
        self.begun = now
        self.epoch += 1
        return now + self.step_s * self.count

    def pause(self, now: float) -> float | None:
        """Somebody came: end with the iteration under way; None = it ends no sooner."""
        count = floor((now - self.begun) / self.step_s) + 1
        if self.starting or len(self.batch) >= BATCH_MAX or count >= self.count:
            return None
        self.count = count
        self.epoch += 1
        return self.begun + self.step_s * count

    def end(self, now: float, asks: Sequence[Ask], first: list[float], last: list[float]) -> None:
        """A run of iterations is over: tokens are made, answers end, prompts become answers."""
        for number, left in list(self.batch.items()):
            self.batch[number] = left - self.count
            if left <= self.count:
                self._leave(number, now, asks, last)
        for number, prompt, answer in self.starting:
            first[number] = now
            self.pending_tokens -= prompt
            self.batch[number] = answer - 1
            if answer <= 1:
                self._leave(number, now, asks, last)
        self.starting.clear()

    def _leave(self, number: int, now: float, asks: Sequence[Ask], last: list[float]) -> None:
        del self.batch[number]
        last[number] = now
        self.pending_tokens -= 1
        self.kv_tokens -= asks[number][1] + asks[number][2]


def simulate(asks: Sequence[Ask], replicas: int) -> list[Times]:
    """Serve all, in order of time, to the end. Seconds of first and last token, by number.

    ValueError for a request that never fits into an instance's memory.
    """
    if any(prompt + answer > KV_TOKENS for _, prompt, answer in asks):
        raise ValueError(f"a request needs more than the {KV_TOKENS:,} tokens of an instance")
    instances = [Instance() for _ in range(replicas)]
    first, last = [0.0] * len(asks), [0.0] * len(asks)
    # Arrivals come before ends of the same time, as they were scheduled before.
    heap: list[tuple[float, int, int, int]] = [(a[0], -1, n, 0) for n, a in enumerate(asks)]
    heapify(heap)
    while heap:
        now, place, number, epoch = heappop(heap)
        if place < 0:
            place = min(range(replicas), key=lambda i: instances[i].pending_tokens)
            one, (_, prompt, answer) = instances[place], asks[number]
            one.pending_tokens += prompt + 1
            one.prompts.append((number, prompt, answer))
            at = one.pause(now) if one.batch or one.starting else one.begin(now)
        else:
            one = instances[place]
            if epoch != one.epoch:
                continue
            one.end(now, asks, first, last)
            at = one.begin(now)
        if at is not None:
            heappush(heap, (at, place, 0, one.epoch))
    return list(zip(first, last, strict=True))
