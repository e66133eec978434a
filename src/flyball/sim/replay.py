"""When does each request of a whole trace get its first and its last token from one engine?

`Engine`'s rules for the plain case (known ahead, no shared prefixes, no priorities, nobody
cancelled) in one loop over numbers: jobs are places in the trace, so what waits is a range of
places, and only two times are kept of each. A preempted job is a job with a longer prompt and less
answer left. Steps, blocks and costs are those of `Engine`, and so are the times, to the last bit.
"""

import heapq
import math
import operator
from itertools import pairwise

import numpy as np
from msgspec import Struct
from numpy.typing import ArrayLike, NDArray

from flyball.model.profile import Profile
from flyball.sim.batch import Batch
from flyball.sim.steptime import TICKS_PER_S, StepTime, seconds, ticks_at_or_after
from flyball.sim.stretch import Stretch
from flyball.units import Seconds, Tokens


class Times(Struct, frozen=True):
    """Seconds at which each request's first token and last token left; shape (requests,).

    NaN = it has none: no answer was asked for (`first_s`).
    """

    first_s: NDArray[np.float64]
    finished_s: NDArray[np.float64]


def replay(
    profile: Profile,
    at: ArrayLike,
    input_tokens: ArrayLike,
    output_tokens: ArrayLike,
) -> Times:
    """Serve a trace, sorted by time, to its end on one replica without prefix cache.

    The arguments, all of shape (requests,), are seconds and whole tokens. ValueError, naming the
    place from 0, if a request can never fit or comes before the one ahead of it.
    """
    # Python's own numbers: femtoseconds outgrow 64 bits after 2.5 hours.
    times, inputs, outputs = (np.asarray(x).tolist() for x in (at, input_tokens, output_tokens))
    _check(profile, times, inputs, outputs)
    trace = _Trace(profile, times, inputs, outputs)
    trace.run()
    return Times(np.array(trace.first_s), np.array(trace.finished_s))


class _Trace:
    """The requests by place, and what an engine knows of them between two steps."""

    def __init__(
        self, profile: Profile, at: list[Seconds], inputs: list[Tokens], outputs: list[Tokens]
    ) -> None:
        limits = profile.limits
        self.arrives = [time + profile.request_overhead_s for time in at] + [math.inf]
        self.todo = inputs  # tokens to compute before the next token can be made
        self.left = outputs  # answer tokens still to make then
        self.first_s = [math.nan] * len(at)
        self.finished_s = [math.nan] * len(at)
        self.cost = cost = StepTime(profile)
        self.decode_base = [cost.decode(seqs, 0)[0] for seqs in range(limits.seqs_max + 1)]
        self.decode_kv = cost.decode(1, 0)[1]  # what one token in the cache adds to a step
        self.batch = Batch(limits.block_tokens)
        self.block = limits.block_tokens
        self.seqs_max = limits.seqs_max
        self.budget = limits.step_tokens_max
        # While even the last tokens of all running jobs fit, free blocks need not be counted.
        self.blocks = limits.kv_tokens_max // limits.block_tokens
        self.blocks_roomy = self.blocks * 7 // 8
        self.reserved = 0  # blocks of the running jobs at their last tokens
        self.is_tight = False
        self.free = 0  # true only while `is_tight`
        self.ends: list[int] = []  # of the decoding jobs: last step * requests + place
        self.back: list[int] = []  # preempted, waiting again
        self.head = 0  # the first place not admitted yet
        self.running = 0
        self.partial = -1  # the place whose prompt is partly computed; -1 = none
        self.computed = 0  # prompt tokens of it
        self.landing: list[int] = []

    def run(self) -> None:
        """Serve all requests. (What is called only once a step is written out here, for speed.)"""
        batch, ends, back = self.batch, self.ends, self.back
        arrives, seqs_max, places = self.arrives, self.seqs_max, len(self.todo)
        decode_base, decode_kv, mixed_cost = self.decode_base, self.decode_kv, self.cost.mixed
        stretch = Stretch()
        arrived = start = 0
        now, next_s = -math.inf, arrives[0]
        while True:
            if not self.running and self.head == arrived and not back:
                if arrived == places:
                    return
                if next_s > now:
                    start = ticks_at_or_after(next_s)
                    now = seconds(start)
            while next_s <= now:
                arrived += 1
                next_s = arrives[arrived]
            settled = True
            if self.is_tight:
                settled = self.pay_step()
            prompt = context = 0
            if self.head < arrived or self.partial >= 0 or back:
                prompt, context = self.prompts(arrived, settled)
            seqs = batch.seqs
            if prompt:
                start += mixed_cost(seqs, batch.kv_tokens, prompt, context)
                now = start / TICKS_PER_S
                batch.step += 1
                batch.kv_tokens += seqs
                self.land(now)
            else:
                count = ends[0] // places - batch.step
                if self.is_tight:
                    count = batch.fitting(count, self.free) if settled else 1
                first, slope = decode_base[seqs] + decode_kv * batch.kv_tokens, decode_kv * seqs
                end = start + count * first + slope * (count * (count - 1) // 2)
                now = end / TICKS_PER_S
                if next_s < now and self.running < seqs_max:
                    stretch.start = start
                    stretch.set(first, slope, count)
                    stretch.cut(next_s)
                    count, end, now = stretch.count, stretch.end, stretch.end_s
                start = end
                if self.is_tight:
                    self.free -= batch.growth(count - 1)
                batch.step += count
                batch.kv_tokens += count * seqs
            if ends and ends[0] < (batch.step + 1) * places:
                self.finish(now)

    def pay_step(self) -> bool:
        """Give the decoding jobs their next blocks; False = the newest jobs had to go for that."""
        batch, places, taken, settled = self.batch, len(self.todo), 0, True
        while batch.needed() - taken > self.free:
            settled = False
            taken += self.free  # the older jobs take what is there
            victim = max([self.partial, *(end % places for end in self.ends)])
            if victim == self.partial:
                self.free = -(-self.todo[victim] // self.block)
                self.partial, self.computed = -1, 0
            else:
                end = next(end for end in self.ends if end % places == victim)
                self.ends.remove(end)
                heapq.heapify(self.ends)
                made = self.left[victim] - (end // places - batch.step)
                computed = self.todo[victim] + made - 1
                self.free = -(-computed // self.block)
                batch.leave(computed)
                self.todo[victim] += made
                self.left[victim] -= made
            self.running -= 1
            self.reserved -= self.blocks_at_end(victim)
            heapq.heappush(self.back, victim)
        self.free -= batch.needed() - taken
        return settled

    def prompts(self, arrived: int, may_admit: bool) -> tuple[Tokens, int]:
        """Fill a step with prompt tokens: their number, and the sum of p * (2 * prefix + p)."""
        budget = self.budget - self.batch.seqs
        taken = context = 0
        place, computed = self.partial, self.computed
        self.partial = -1
        while taken < budget:
            if place < 0:
                if not may_admit or (place := self.admit(arrived)) < 0:
                    break
                computed = 0
            chunk = self.todo[place] - computed
            if chunk > budget - taken:
                chunk = budget - taken
                self.partial, self.computed = place, computed + chunk
            else:
                self.landing.append(place)
            context += chunk * (2 * computed + chunk)
            taken += chunk
            if self.head == arrived and not self.back:
                break
            place = -1
        return taken, context

    def admit(self, arrived: int) -> int:
        """The place of the next job that has a slot and blocks from now on; -1 = none."""
        place = self.back[0] if self.back else self.head
        if self.running >= self.seqs_max or place >= arrived:
            return -1
        reserved = self.reserved + self.blocks_at_end(place)
        if reserved > self.blocks and not self.is_tight:
            self.count_free()
        if self.is_tight:
            blocks = -(-self.todo[place] // self.block)
            if blocks > self.free:
                return -1
            self.free -= blocks
        self.reserved = reserved
        self.running += 1
        if self.back:
            heapq.heappop(self.back)
        else:
            self.head += 1
        return place

    def blocks_at_end(self, place: int) -> int:
        """KV blocks of a job at its last token (which is never put into the cache)."""
        return -(-(self.todo[place] + (self.left[place] or 1) - 1) // self.block)

    def count_free(self) -> None:
        """From now on the free blocks are counted; those of this step are paid."""
        places, step = len(self.todo), self.batch.step
        held = [self.todo[place] for place in self.landing]
        for end in self.ends:
            place = end % places
            held.append(self.todo[place] + self.left[place] - (end // places - step))
        self.free = self.blocks - sum(-(-tokens // self.block) for tokens in held)
        self.is_tight = True

    def release(self, place: int) -> None:
        """A job that has ended gives up its slot and its blocks."""
        blocks = self.blocks_at_end(place)
        self.running -= 1
        self.reserved -= blocks
        self.free += blocks
        if self.reserved < self.blocks_roomy:
            self.is_tight = False

    def land(self, now: Seconds) -> None:
        """The prompts that became complete have a first token; their jobs decode from now on."""
        for place in self.landing:
            left, todo = self.left[place], self.todo[place]
            if left and math.isnan(self.first_s[place]):
                self.first_s[place] = now
            if left > 1:
                self.batch.join(todo)
                end = self.batch.step + left - 1
                heapq.heappush(self.ends, end * len(self.todo) + place)
            else:
                self.finished_s[place] = now
                self.release(place)
        self.landing.clear()

    def finish(self, now: Seconds) -> None:
        """The jobs whose last token was made give up their slots and blocks."""
        ends, places = self.ends, len(self.todo)
        limit = (self.batch.step + 1) * places
        while ends and ends[0] < limit:
            place = heapq.heappop(ends) % places
            self.batch.leave(self.todo[place] + self.left[place] - 1)
            self.finished_s[place] = now
            self.release(place)


def _check(
    profile: Profile, at: list[Seconds], inputs: list[Tokens], outputs: list[Tokens]
) -> None:
    """ValueError, with the place from 0, for a trace that no engine of this kind can serve."""
    if not len(at) == len(inputs) == len(outputs):
        raise ValueError(f"{len(at)} times, {len(inputs)} inputs, {len(outputs)} outputs")
    if not at:
        return
    if min(inputs) < 1 or min(outputs) < 0:
        raise ValueError("a request needs at least 1 input token and 0 output tokens")
    if not all(map(math.isfinite, at)) or min(at) < 0:
        raise ValueError("a time is negative or not finite")
    limits = profile.limits
    if limits.seqs_max > limits.step_tokens_max:
        raise ValueError("seqs_max is above step_tokens_max: a step could not serve every job")
    room = limits.kv_tokens_max // limits.block_tokens * limits.block_tokens
    for place, tokens in enumerate(map(operator.add, inputs, outputs)):
        if tokens > room:
            raise ValueError(f"request {place} needs {tokens} KV tokens, the engine has {room}")
    for place, (before, after) in enumerate(pairwise(at), 1):
        if not before <= after:
            raise ValueError(f"request {place} comes at {after} s, after one at {before} s")
