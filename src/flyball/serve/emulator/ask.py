"""What does one request ask of the emulated engine, on whichever API it came?

Tokens are counted as 4 bytes of prompt text. A prompt's text is put together as chat templates do
it (tools, system, then the turns), so that a conversation with one more turn starts with the same
bytes.
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from flyball.units import Tokens

BYTES_PER_TOKEN = 4
IMAGE_TOKENS = 256
Surface = Literal["chat", "completion", "embedding", "response", "message"]


class AskError(Exception):
    """The request is not good: `status`, and what the client's error body says."""

    def __init__(self, status: int, message: str, param: str = "", code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code


class Body(Struct):
    """The fields that matter here, of all APIs together; others are ignored."""

    model: str = ""
    messages: list[dict[str, Any]] | None = None
    prompt: str | list[Any] | None = None
    input: str | list[Any] | None = None
    instructions: str | None = None
    system: str | list[Any] | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    max_output_tokens: int | None = None
    min_tokens: int | None = None
    ignore_eos: bool | None = None
    n: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any = None
    dimensions: int | None = None
    encoding_format: str | None = None
    priority: int | None = None


class Tool(Struct, frozen=True):
    """A function the client offers."""

    name: str
    parameters: dict[str, Any]


class Ask(Struct):
    """One request, whichever API it came on. `output_tokens_max` 0 = no bound was given."""

    surface: Surface
    model: str
    prompts: list[bytes]
    stream: bool = False
    include_usage: bool = False
    output_tokens_max: Tokens = 0
    output_tokens_min: Tokens = 1
    ignore_eos: bool = False
    tool: Tool | None = None
    dimensions: int = 256
    base64: bool = False
    priority: int = 0

    @property
    def input_tokens(self) -> Tokens:
        """Prompt tokens, at least 1 for each prompt."""
        return sum(max(1, -(-len(prompt) // BYTES_PER_TOKEN)) for prompt in self.prompts)


_decoder = msgspec.json.Decoder(Body)


def read_ask(surface: Surface, raw: bytes) -> Ask:
    """Parse a request body; AskError (400) naming the field at fault."""
    try:
        body = _decoder.decode(raw)
    except msgspec.ValidationError as error:
        path = str(error).rpartition("`$.")[2].rstrip("`") if "`$." in str(error) else ""
        raise AskError(400, str(error), path) from None
    except msgspec.DecodeError as error:
        raise AskError(400, f"The body is not valid JSON: {error}") from None
    if not body.model:
        raise AskError(400, "you must provide a model parameter", "model")
    if body.n is not None and body.n != 1:
        raise AskError(400, "only n=1 is served here", "n")
    ask = Ask(surface, body.model, _prompts(surface, body), stream=bool(body.stream))
    if surface == "embedding":
        ask.base64 = body.encoding_format == "base64"
        ask.dimensions = _positive(body.dimensions, "dimensions") or 256
        return ask
    ask.include_usage = bool((body.stream_options or {}).get("include_usage"))
    ask.output_tokens_max = _bound(surface, body)
    ask.output_tokens_min = body.min_tokens or 1
    ask.ignore_eos = bool(body.ignore_eos)
    ask.tool = _wanted_tool(surface, body)
    ask.priority = body.priority or 0
    return ask


def _bound(surface: Surface, body: Body) -> Tokens:
    if surface == "response":
        return _positive(body.max_output_tokens, "max_output_tokens")
    if surface == "message" and body.max_tokens is None:
        raise AskError(400, "max_tokens: Field required", "max_tokens")
    bound = _positive(body.max_completion_tokens, "max_completion_tokens")
    return bound or _positive(body.max_tokens, "max_tokens")


def _positive(value: int | None, param: str) -> int:
    if value is None:
        return 0
    if value < 1:
        raise AskError(400, f"{param} must be at least 1, got {value}.", param)
    return value


def _prompts(surface: Surface, body: Body) -> list[bytes]:
    if surface == "completion":
        return _texts(body.prompt, "prompt")[:1]
    if surface == "embedding":
        return _texts(body.input, "input")
    turns: list[tuple[str, str]] = []
    if body.tools:
        turns.append(("tools", msgspec.json.encode(body.tools).decode()))
    for text in (body.instructions, _content(body.system)):
        if text:
            turns.append(("system", text))
    if surface == "response" and isinstance(body.input, str):
        turns.append(("user", body.input))
    else:
        name = "input" if surface == "response" else "messages"
        listed = body.input if surface == "response" else body.messages
        if not isinstance(listed, list) or not listed:
            raise AskError(400, f"{name} must be a list with at least one entry", name)
        turns += [_turn(entry, name) for entry in listed]
    text = "".join(f"<|{role}|>{content}" for role, content in turns)
    return [f"{text}<|assistant|>".encode("utf-8", "surrogatepass")]


def _turn(entry: Any, name: str) -> tuple[str, str]:
    if not isinstance(entry, dict):
        raise AskError(400, f"each entry of {name} must be an object", name)
    extra = entry.get("tool_calls") or entry.get("arguments") or entry.get("output")
    text = _content(entry.get("content"))
    if extra:
        text += msgspec.json.encode(extra).decode()
    return str(entry.get("role") or entry.get("type") or "user"), text


def _content(content: Any) -> str:
    """Text of a message: a string, or a list of parts; an image counts as `IMAGE_TOKENS`."""
    if content is None or isinstance(content, str):
        return content or ""
    parts: list[str] = []
    for part in content if isinstance(content, list) else [content]:
        if isinstance(part, dict) and isinstance(part.get("text"), str):
            parts.append(part["text"])
        elif isinstance(part, dict) and "image" in str(part.get("type")):
            parts.append("<|image|>" + " " * (IMAGE_TOKENS * BYTES_PER_TOKEN - 9))
        else:
            parts.append(msgspec.json.encode(part).decode())
    return "".join(parts)


def _texts(value: str | list[Any] | None, name: str) -> list[bytes]:
    if isinstance(value, str):
        return [value.encode("utf-8", "surrogatepass")]
    if not value:
        raise AskError(400, f"{name} must be a string or a list that is not empty", name)
    if all(isinstance(item, str) for item in value):
        return [item.encode("utf-8", "surrogatepass") for item in value]
    if all(isinstance(item, int) for item in value):  # token ids: 4 bytes each
        return [b"".join(item.to_bytes(8, "little", signed=True)[:4] for item in value)]
    if all(isinstance(item, list) for item in value):
        return [_texts(item, name)[0] for item in value]
    raise AskError(400, f"{name} must hold strings or token ids", name)


def _wanted_tool(surface: Surface, body: Body) -> Tool | None:
    """The tool to call: if `tool_choice` asks for one, or the last user message says "tool"."""
    choice = body.tool_choice
    if not body.tools or choice == "none":
        return None
    tools = [_tool(entry) for entry in body.tools]
    name = kind = choice
    if isinstance(choice, dict):
        kind = choice.get("type")
        name = (choice.get("function") or choice).get("name")
    if isinstance(name, str):
        for tool in tools:
            if tool.name == name:
                return tool
        if isinstance(choice, dict) and kind in ("function", "tool"):
            raise AskError(400, f"tool_choice names {name!r}, which is not in tools", "tool_choice")
    if kind in ("required", "any"):
        return tools[0]
    return tools[0] if "tool" in _last_user_text(surface, body) else None


def _tool(entry: dict[str, Any]) -> Tool:
    inner = entry.get("function") or entry
    name = inner.get("name")
    if not isinstance(name, str):
        raise AskError(400, "each of tools needs a name", "tools")
    schema = inner.get("parameters") or inner.get("input_schema") or {}
    return Tool(name, schema if isinstance(schema, dict) else {})


def _last_user_text(surface: Surface, body: Body) -> str:
    if surface == "response" and isinstance(body.input, str):
        return body.input
    turns = body.input if surface == "response" else body.messages
    last = turns[-1] if isinstance(turns, list) and turns else None
    if not isinstance(last, dict) or last.get("role") != "user":
        return ""
    return _content(last.get("content"))
