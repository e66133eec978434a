"""Is an answer fixed by its prompt, as long as asked, and found again in the next turn?"""

import base64
import json
import struct

import pytest

from flyball.serve.emulator.answer import WORDS, embedding, make_answer, make_job
from flyball.serve.emulator.ask import Ask, Tool


def ask(text: bytes = b"prompt", **fields) -> Ask:
    return Ask("chat", "m", [text], **fields)


def test_words_are_one_token_each() -> None:
    assert len(set(WORDS)) == 64
    assert all(len(word) == 4 and word[-1] == " " for word in WORDS)


def test_the_same_prompt_gets_the_same_answer() -> None:
    one, same = make_answer(ask(), 0, 1000), make_answer(ask(), 0, 1000)
    assert one.text(0, one.tokens) == same.text(0, same.tokens)
    assert one.text(0, 5) == one.text(0, 2) + one.text(2, 5)
    others = [make_answer(ask(b"other"), 0, 1000), make_answer(ask(), 1, 1000)]
    assert all(other.text(0, 20) != one.text(0, 20) for other in others)


def test_lengths() -> None:
    small = make_answer(ask(output_tokens_max=20), 0, 1000)
    assert (small.tokens, small.finish) == (20, "length")
    forced = make_answer(ask(output_tokens_max=700, ignore_eos=True), 0, 1000)
    assert (forced.tokens, forced.finish) == (700, "length")
    drawn = [make_answer(ask(b"%d" % i), 0, 100_000) for i in range(2000)]
    assert sum(one.tokens for one in drawn) / 2000 == pytest.approx(200, rel=0.1)
    assert {one.finish for one in drawn} == {"stop"}
    bound = [make_answer(ask(b"%d" % i, output_tokens_max=100), 0, 1000) for i in range(200)]
    assert max(one.tokens for one in bound) == 100
    assert {one.finish for one in bound} == {"stop", "length"}
    assert make_answer(ask(output_tokens_min=900), 0, 1000).tokens >= 900


def test_tool_arguments_fit_the_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "unit": {"enum": ["C", "F"]},
            "exact": {"type": "boolean"},
            "at": {"type": "array", "items": {"type": "number"}},
            "more": {"type": "object", "properties": {"a": {"type": "string"}}},
            "optional": {"type": "string"},
        },
        "required": ["city", "days", "unit", "exact", "at", "more"],
    }
    answer = make_answer(ask(tool=Tool("weather", schema)), 0, 1000)
    got = json.loads(answer.text(0, answer.tokens))
    assert list(got) == schema["required"]
    assert isinstance(got["city"], str)
    assert isinstance(got["days"], int)
    assert got["unit"] in ("C", "F")
    assert isinstance(got["exact"], bool)
    assert isinstance(got["at"][0], float)
    assert list(got["more"]) == ["a"]
    assert answer.finish == "tool_calls"


def test_the_next_turn_shares_the_blocks_of_prompt_and_answer() -> None:
    first = ask(b"p" * 256, output_tokens_max=32)
    answer = make_answer(first, 0, 1000)
    job = make_job("a", first, answer, 16)
    assert (job.input_tokens, job.output_tokens, len(job.block_hashes)) == (64, 32, 6)
    text = first.prompts[0] + answer.text(0, 32).encode() + b"and then?"
    later = ask(text, output_tokens_max=1)
    following = make_job("b", later, make_answer(later, 0, 1000), 16)
    assert following.block_hashes[:6] == job.block_hashes
    changed = make_job("c", ask(b"q" + text), make_answer(later, 0, 1000), 16)
    assert not set(changed.block_hashes) & set(job.block_hashes)


def test_embeddings_are_unit_vectors_in_both_codings() -> None:
    plain = embedding(b"text", 0, 64, False)
    assert sum(x * x for x in plain) == pytest.approx(1.0)
    coded = embedding(b"text", 0, 64, True)
    assert isinstance(coded, str)
    got = struct.unpack("<64f", base64.b64decode(coded))
    assert got == pytest.approx(plain, abs=1e-6)
    assert embedding(b"other", 0, 64, False) != plain
