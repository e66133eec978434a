"""How is an answer worded on Anthropic's Messages API? (docs.anthropic.com, API reference.)"""

from typing import Any

import msgspec

from flyball.serve.emulator.wording import Wording, encode
from flyball.units import Tokens

_STOP = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


class MessageWording(Wording):
    """/v1/messages: one content block, text or tool use."""

    def usage(self, cached: Tokens) -> dict[str, Any]:
        """Anthropic's `usage`: input tokens do not include those read from the cache."""
        return {
            "input_tokens": self.ask.input_tokens - cached,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": cached,
            "output_tokens": self.answer.tokens,
        }

    def _message(self, content: list[Any], stop: str | None, usage: Any) -> dict[str, Any]:
        return {
            "id": f"msg_{self.name}",
            "type": "message",
            "role": "assistant",
            "model": self.ask.model,
            "content": content,
            "stop_reason": stop,
            "stop_sequence": None,
            "usage": usage,
        }

    def _block(self, text: str) -> dict[str, Any]:
        if self.ask.tool is None:
            return {"type": "text", "text": text}
        arguments = msgspec.json.decode(text) if text else {}
        return {
            "type": "tool_use",
            "id": f"toolu_{self.name}",
            "name": self.ask.tool.name,
            "input": arguments,
        }

    def whole(self, cached: Tokens) -> bytes:
        stop = _STOP[self.answer.finish]
        return encode(self._message([self._block(self.text)], stop, self.usage(cached)))

    def _event(self, kind: str, **fields: Any) -> bytes:
        return f"event: {kind}\ndata: ".encode() + encode({"type": kind} | fields) + b"\n\n"

    def opening(self, cached: Tokens) -> bytes:
        begun = self._message([], None, self.usage(cached) | {"output_tokens": 1})
        return (
            self._event("message_start", message=begun)
            + self._event("content_block_start", index=0, content_block=self._block(""))
            + self._event("ping")
        )

    def piece(self, start: Tokens, stop: Tokens) -> bytes:
        kind, field = (
            ("input_json_delta", "partial_json") if self.is_call else ("text_delta", "text")
        )
        return b"".join(
            self._event(
                "content_block_delta",
                index=0,
                delta={"type": kind, field: self.answer.text(i, i + 1)},
            )
            for i in range(start, stop)
        )

    def close(self, cached: Tokens) -> bytes:
        stop = {"stop_reason": _STOP[self.answer.finish], "stop_sequence": None}
        return (
            self._event("content_block_stop", index=0)
            + self._event("message_delta", delta=stop, usage=self.usage(cached))
            + self._event("message_stop")
        )
