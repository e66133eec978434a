"""What does the emulated engine answer, and in how many tokens? (The same prompt, the same answer.)

Words have three letters and a space, so an answer of n tokens is counted as n tokens again when it
comes back in the next turn's prompt, and its blocks are found in the prefix cache.
"""

import base64
import math
import struct
from typing import Any

import msgspec
from xxhash import xxh3_64_intdigest

from flyball.model.plant import Job
from flyball.serve.emulator.ask import BYTES_PER_TOKEN, Ask, Tool
from flyball.units import Tokens

_LEXICON = (
    "air ant arm art ash bay bee bow box bud bus cap cat cow cup day den dew dog ear egg elm eye "
    "fan fig fin fir fog fox gap gem hat hay hen hut ice ink ivy jam jar jay key kit lap leg log "
    "map mud net nut oak oar oat owl paw pea pen pie pot ray sea sky sun web "
)
WORDS = tuple(_LEXICON[i : i + BYTES_PER_TOKEN] for i in range(0, 256, BYTES_PER_TOKEN))
OUTPUT_TOKENS_MEAN = 200
SMALL_BOUND = 32  # a bound this small is what the client wants, not a limit


class Answer:
    """The tokens of one answer, by number: words, or the arguments of a tool call."""

    def __init__(self, digest: int, tokens: Tokens, finish: str, arguments: str = "") -> None:
        self.digest = digest
        self.tokens = tokens
        self.finish = finish  # "stop", "length" or "tool_calls"
        self.arguments = arguments

    def text(self, start: Tokens, stop: Tokens) -> str:
        """Tokens `start` to `stop`, joined."""
        if self.finish == "tool_calls":
            return self.arguments[start * BYTES_PER_TOKEN : stop * BYTES_PER_TOKEN]
        digest = self.digest
        return "".join(
            [WORDS[(digest + i * 37 + (digest >> (i % 48))) & 63] for i in range(start, stop)]
        )


def make_answer(ask: Ask, seed: int, tokens_left: Tokens) -> Answer:
    """Draw the answer from the prompt's digest; `tokens_left` = context that the prompt leaves.

    Lengths are exponential with mean `OUTPUT_TOKENS_MEAN`, unless the request fixes them.
    """
    digest = xxh3_64_intdigest(ask.prompts[0], seed)
    if ask.surface == "embedding":
        return Answer(digest, 0, "stop")
    if ask.tool is not None:
        arguments = msgspec.json.encode(_arguments(ask.tool, digest)).decode()
        return Answer(digest, -(-len(arguments) // BYTES_PER_TOKEN), "tool_calls", arguments)
    bound = min(ask.output_tokens_max or tokens_left, tokens_left)
    if ask.output_tokens_max and (ask.ignore_eos or bound <= SMALL_BOUND):
        return Answer(digest, bound, "length")
    share = (digest >> 11) / 2**53
    drawn = 1 + int(-OUTPUT_TOKENS_MEAN * math.log(1.0 - share))
    tokens = min(max(drawn, ask.output_tokens_min), bound)
    return Answer(digest, tokens, "length" if tokens == bound and drawn > bound else "stop")


def make_job(name: str, ask: Ask, answer: Answer, block_tokens: Tokens) -> Job:
    """The work it makes: sizes, and the chained hashes of prompt and answer, block by block."""
    text = ask.prompts[0] if len(ask.prompts) == 1 else b"".join(ask.prompts)
    if answer.tokens:
        text += answer.text(0, answer.tokens).encode()
    size = block_tokens * BYTES_PER_TOKEN
    hashes: list[int] = []
    seed = 0
    for start in range(0, len(text) - size + 1, size):
        seed = xxh3_64_intdigest(text[start : start + size], seed)
        hashes.append(seed)
    return Job(name, ask.input_tokens, answer.tokens, tuple(hashes), ask.priority)


def embedding(prompt: bytes, seed: int, dimensions: int, as_base64: bool) -> list[float] | str:
    """A unit vector that depends on the text alone; base64 is of little-endian float32 (OpenAI)."""
    raw = [
        (xxh3_64_intdigest(prompt, seed + i) >> 11) / 2**52 - 1.0 for i in range(1, dimensions + 1)
    ]
    norm = math.sqrt(sum(x * x for x in raw)) or 1.0
    vector = [x / norm for x in raw]
    if not as_base64:
        return vector
    return base64.b64encode(struct.pack(f"<{dimensions}f", *vector)).decode()


def _arguments(tool: Tool, digest: int) -> dict[str, Any]:
    """Arguments that fit the tool's JSON Schema: its required properties, or all if none is."""
    properties = tool.parameters.get("properties")
    if not isinstance(properties, dict):
        return {}
    wanted = tool.parameters.get("required") or list(properties)
    return {
        str(name): _value(properties.get(name), digest + place)
        for place, name in enumerate(wanted)
        if name in properties
    }


def _value(schema: Any, digest: int) -> Any:
    if not isinstance(schema, dict):
        return WORDS[digest & 63].strip()
    if schema.get("enum"):
        return schema["enum"][digest % len(schema["enum"])]
    match schema.get("type"):
        case "integer":
            return digest % 100
        case "number":
            return digest % 1000 / 10
        case "boolean":
            return digest % 2 == 0
        case "array":
            return [_value(schema.get("items"), digest + 1)]
        case "object":
            return _arguments(Tool("", schema), digest)
        case _:
            return WORDS[digest & 63].strip()
