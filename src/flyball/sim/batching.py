"""By which rules does an engine of this kind put prompts and answers into its steps?

vLLM v1 (`vllm/v1/core/sched/scheduler.py`): one step serves answers and prompts together, answers
first; the least urgent, newest job is preempted. SGLang (`python/sglang/srt/managers/scheduler.py`,
`get_next_batch_to_run`; `schedule_batch.py`, `retract_decode`), without `--enable-mixed-chunk`:
while a prompt can be admitted or is half computed, a step serves prompts only and the answers
pause; the whole chunk (`chunked_prefill_size`) is for prompts; the job with the shortest answer so
far, of those the one with the longest prompt, is retracted. Its page of one token and its chunk of
8,192 are limits, so they belong into the profile. Left out: SGLang admits less while it expects
running answers to grow (`new_token_ratio`), which needs answer limits that traces do not have.
"""

from typing import Protocol

from msgspec import Struct

from flyball.model.fleet import EngineKind
from flyball.model.plant import Job
from flyball.units import Tokens


class Numbered(Protocol):
    """A job and its place in the order of arrival."""

    job: Job
    seq: int


class Batching(Struct, frozen=True):
    """`mixes` = prompts and answers share a step; `spares_answers` = the shortest answer goes."""

    mixes: bool = True
    spares_answers: bool = False

    def urgency(self, one: Numbered, made: Tokens) -> tuple[int, int, int]:
        """The job with the greatest one is preempted; `made` = its answer tokens so far."""
        if self.spares_answers:
            return -made, one.job.input_tokens, one.seq
        return one.job.priority, one.seq, 0


VLLM = Batching()
SGLANG = Batching(mixes=False, spares_answers=True)


def batching_of(engine: EngineKind) -> Batching:
    """The rules of an engine; those without rules of their own here batch as vLLM does."""
    return SGLANG if engine == "sglang" else VLLM
