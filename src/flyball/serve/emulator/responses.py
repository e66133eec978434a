"""How is an answer worded on OpenAI's Responses API? (platform.openai.com, API reference.)"""

from typing import Any

from flyball.serve.emulator.wording import Wording, encode
from flyball.units import Tokens


class ResponseWording(Wording):
    """/v1/responses: one output item, a message or a function call."""

    def _response(self, status: str, output: list[Any], cached: Tokens) -> dict[str, Any]:
        prompt, made = self.ask.input_tokens, self.answer.tokens
        is_whole = status == "completed"
        cut = is_whole and self.answer.finish == "length"
        return {
            "id": f"resp_{self.name}",
            "object": "response",
            "created_at": self.created,
            "status": "incomplete" if cut else status,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "instructions": None,
            "max_output_tokens": self.ask.output_tokens_max or None,
            "metadata": {},
            "model": self.ask.model,
            "output": output,
            "parallel_tool_calls": True,
            "previous_response_id": None,
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "usage": {
                "input_tokens": prompt,
                "input_tokens_details": {"cached_tokens": cached},
                "output_tokens": made,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": prompt + made,
            }
            if is_whole
            else None,
        }

    def _part(self, text: str) -> dict[str, Any]:
        return {"type": "output_text", "text": text, "annotations": []}

    def _item(self, text: str | None) -> dict[str, Any]:
        """The output item: complete with `text`, or as it begins (None)."""
        status = "in_progress" if text is None else "completed"
        if self.ask.tool is not None:
            return {
                "id": self._item_id,
                "type": "function_call",
                "status": status,
                "call_id": f"call_{self.name}",
                "name": self.ask.tool.name,
                "arguments": text or "",
            }
        return {
            "id": self._item_id,
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": [] if text is None else [self._part(text)],
        }

    @property
    def _item_id(self) -> str:
        return f"{'fc' if self.is_call else 'msg'}_{self.name}"

    def whole(self, cached: Tokens) -> bytes:
        return encode(self._response("completed", [self._item(self.text)], cached))

    def _event(self, kind: str, **fields: Any) -> bytes:
        data = encode({"type": kind, "sequence_number": self._number} | fields)
        self._number += 1
        return b"event: " + kind.encode() + b"\ndata: " + data + b"\n\n"

    @property
    def _place(self) -> dict[str, Any]:
        place: dict[str, Any] = {"item_id": self._item_id, "output_index": 0}
        return place if self.is_call else place | {"content_index": 0}

    def opening(self, cached: Tokens) -> bytes:
        self._number = 0
        begun = self._response("in_progress", [], cached)
        out = self._event("response.created", response=begun)
        out += self._event("response.in_progress", response=begun)
        out += self._event("response.output_item.added", output_index=0, item=self._item(None))
        if not self.is_call:
            part = self._part("")
            out += self._event("response.content_part.added", part=part, **self._place)
        return out

    def piece(self, start: Tokens, stop: Tokens) -> bytes:
        kind = (
            "response.function_call_arguments.delta"
            if self.is_call
            else "response.output_text.delta"
        )
        extra: dict[str, Any] = {} if self.is_call else {"logprobs": []}
        return b"".join(
            self._event(kind, delta=self.answer.text(i, i + 1), **self._place, **extra)
            for i in range(start, stop)
        )

    def close(self, cached: Tokens) -> bytes:
        text = self.text
        if self.is_call:
            assert self.ask.tool is not None
            out = self._event(
                "response.function_call_arguments.done",
                arguments=text,
                name=self.ask.tool.name,
                **self._place,
            )
        else:
            out = self._event("response.output_text.done", text=text, logprobs=[], **self._place)
            part = self._part(text)
            out += self._event("response.content_part.done", part=part, **self._place)
        item = self._item(text)
        out += self._event("response.output_item.done", output_index=0, item=item)
        ended = self._response("completed", [item], cached)
        kind = "response.incomplete" if ended["status"] == "incomplete" else "response.completed"
        return out + self._event(kind, response=ended)
