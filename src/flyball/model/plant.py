"""What work does an engine take in, what does it report of it, and what does it show of itself?

These nouns join the simulated plant, the emulated engine and the tests; a real engine never sees
them.
"""

from typing import Literal

from msgspec import Struct

from flyball.units import Joules, Ratio, Seconds, Tokens

ProgressKind = Literal["admitted", "first-token", "tokens", "finished", "preempted"]


class Job(Struct, frozen=True, gc=False):
    """One request as an engine sees it.

    `block_hashes[i]` names the content of blocks 0..i of the prompt (and, where it is known, of the
    answer after it); equal hashes mean equal content. `output_tokens` 0 = no answer (embeddings).
    Lower `priority` goes first, as in vLLM. `prefilled` = another engine has computed its prompt
    and made its first token; its KV comes along, so that it only decodes here.
    """

    id: str
    input_tokens: Tokens
    output_tokens: Tokens
    block_hashes: tuple[int, ...] = ()
    priority: int = 0
    prefilled: bool = False


class Progress(Struct, frozen=True, gc=False):
    """Something happened to a job at an exact time.

    `tokens` = for admitted: prompt tokens found in the prefix cache; for preempted and finished:
    answer tokens made in all; for first-token: 1; for tokens: answer tokens made since last told.
    """

    kind: ProgressKind
    job: str
    at: Seconds
    tokens: Tokens


class PlantState(Struct, frozen=True, gc=False):
    """An engine at one moment: gauges first, then counters since its start.

    `joules` counts the time in which a step ran; the caller adds idle watts for the rest.
    """

    running: int
    waiting: int
    kv_usage: Ratio
    kv_blocks_used: int
    kv_blocks_max: int
    prefix_query_tokens: Tokens
    prefix_hit_tokens: Tokens
    preemptions: int
    prompt_tokens: Tokens
    output_tokens: Tokens
    steps: int
    busy_s: Seconds
    joules: Joules
