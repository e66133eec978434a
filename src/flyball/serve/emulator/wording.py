"""How is an answer put into words on the older OpenAI APIs (chat, completions)?

Every API has a `Wording`: the whole body, or for a stream its opening, its pieces and its close.
Shapes: platform.openai.com, API reference. Words are plain ASCII, so a piece needs no JSON escaping
unless it is part of a tool call's arguments.
"""

from abc import ABC, abstractmethod
from typing import Any

import msgspec

from flyball.serve.emulator.answer import Answer
from flyball.serve.emulator.ask import Ask
from flyball.units import Tokens

DONE = b"data: [DONE]\n\n"
encode = msgspec.json.encode


class Wording(ABC):
    """One answer in one API's shape; `name` is the request's id, `created` Unix seconds."""

    def __init__(self, ask: Ask, answer: Answer, name: str, created: int) -> None:
        self.ask = ask
        self.answer = answer
        self.name = name
        self.created = created

    @abstractmethod
    def whole(self, cached: Tokens) -> bytes:
        """The body of an answer that is not streamed."""

    @abstractmethod
    def opening(self, cached: Tokens) -> bytes:
        """The events before the first token."""

    @abstractmethod
    def piece(self, start: Tokens, stop: Tokens) -> bytes:
        """One event per token, `start` to `stop`."""

    @abstractmethod
    def close(self, cached: Tokens) -> bytes:
        """The events after the last token."""

    @property
    def text(self) -> str:
        """The whole answer as text (a tool call's arguments, if it is one)."""
        return self.answer.text(0, self.answer.tokens)

    @property
    def is_call(self) -> bool:
        """Is the answer a tool call?"""
        return self.ask.tool is not None

    def usage(self, cached: Tokens) -> dict[str, Any]:
        """OpenAI's `usage` object."""
        prompt, made = self.ask.input_tokens, self.answer.tokens
        return {
            "prompt_tokens": prompt,
            "completion_tokens": made,
            "total_tokens": prompt + made,
            "prompt_tokens_details": {"cached_tokens": cached},
        }


def event(data: object) -> bytes:
    """One server-sent event without a name."""
    return b"data: " + encode(data) + b"\n\n"


class ChatWording(Wording):
    """/v1/chat/completions."""

    def _frame(self, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{self.name}",
            "object": kind,
            "created": self.created,
            "model": self.ask.model,
        }

    def _call(self, arguments: str) -> dict[str, Any]:
        assert self.ask.tool is not None
        return {
            "id": f"call_{self.name}",
            "type": "function",
            "function": {"name": self.ask.tool.name, "arguments": arguments},
        }

    def whole(self, cached: Tokens) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.is_call:
            message = {
                "role": "assistant",
                "content": None,
                "tool_calls": [self._call(self.text)],
            }
        choice = {
            "index": 0,
            "message": message,
            "logprobs": None,
            "finish_reason": self.answer.finish,
        }
        frame = self._frame("chat.completion")
        return encode(frame | {"choices": [choice], "usage": self.usage(cached)})

    def _chunk(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return event(self._frame("chat.completion.chunk") | {"choices": [choice]})

    def opening(self, cached: Tokens) -> bytes:
        first: dict[str, Any] = {"role": "assistant", "content": "" if not self.is_call else None}
        if self.is_call:
            first["tool_calls"] = [{"index": 0} | self._call("")]
        head, _, tail = self._chunk({"content": "\0"}).partition(b'"\\u0000"')
        self._head, self._tail = head + b'"', b'"' + tail
        return self._chunk(first)

    def piece(self, start: Tokens, stop: Tokens) -> bytes:
        if self.is_call:
            return b"".join(
                self._chunk(
                    {
                        "tool_calls": [
                            {"index": 0, "function": {"arguments": self.answer.text(i, i + 1)}}
                        ]
                    }
                )
                for i in range(start, stop)
            )
        head, tail, text = self._head, self._tail, self.answer.text
        return b"".join([head + text(i, i + 1).encode() + tail for i in range(start, stop)])

    def close(self, cached: Tokens) -> bytes:
        out = self._chunk({}, self.answer.finish)
        if self.ask.include_usage:
            usage = {"choices": list[object](), "usage": self.usage(cached)}
            out += event(self._frame("chat.completion.chunk") | usage)
        return out + DONE


class CompletionWording(Wording):
    """/v1/completions."""

    def _frame(self, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": f"cmpl-{self.name}",
            "object": "text_completion",
            "created": self.created,
            "model": self.ask.model,
            "choices": choices,
        }

    def _choice(self, text: str, finish: str | None) -> list[dict[str, Any]]:
        return [{"index": 0, "text": text, "logprobs": None, "finish_reason": finish}]

    def whole(self, cached: Tokens) -> bytes:
        frame = self._frame(self._choice(self.text, self.answer.finish))
        return encode(frame | {"usage": self.usage(cached)})

    def opening(self, cached: Tokens) -> bytes:
        return b""

    def piece(self, start: Tokens, stop: Tokens) -> bytes:
        last = self.answer.tokens - 1
        return b"".join(
            event(
                self._frame(
                    self._choice(
                        self.answer.text(i, i + 1), self.answer.finish if i == last else None
                    )
                )
            )
            for i in range(start, stop)
        )

    def close(self, cached: Tokens) -> bytes:
        usage = event(self._frame([]) | {"usage": self.usage(cached)})
        return (usage if self.ask.include_usage else b"") + DONE
