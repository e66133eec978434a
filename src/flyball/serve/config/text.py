"""What does the text say, and where does each value stand? (YAML 1.2 to plain data and marks.)"""

import math
from typing import Any, Literal

from msgspec import Struct, field
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from flyball.serve.config.errors import ConfigError, Severity

Path = tuple[str | int, ...]
_TAG = "tag:yaml.org,2002:"
TEXT_CHARS_MAX = 4 << 20
NODES_MAX = 200_000
DEPTH_MAX = 32


class Mark(Struct, frozen=True):
    """Where a key and its value stand, (line, column), both from 1."""

    key: tuple[int, int]
    value: tuple[int, int]


class Document(Struct, kw_only=True):
    """Plain data with the place of each value; faults are collected in `errors`.

    `overrides` names the environment variable that set a path, which then has no place in the file.
    """

    source: str
    data: Any = None
    marks: dict[Path, Mark] = field(default_factory=dict)
    overrides: dict[Path, str] = field(default_factory=dict)
    errors: list[ConfigError] = field(default_factory=list)

    def fault(
        self,
        path: Path,
        message: str,
        next_step: str,
        *,
        severity: Severity = "error",
        at: Literal["key", "value"] = "value",
    ) -> None:
        """Note a fault at the nearest known place of `path`."""
        source, line, col = self.source, 0, 0
        for end in range(len(path), -1, -1):
            if path[:end] in self.overrides:
                source = self.overrides[path[:end]]
                break
            if mark := self.marks.get(path[:end]):
                line, col = mark.value if at == "value" and end == len(path) else mark.key
                break
        self.errors.append(
            ConfigError(
                line=line,
                col=col,
                source=source,
                path=spelled(path),
                message=message,
                next_step=next_step,
                severity=severity,
            )
        )

    @property
    def is_bad(self) -> bool:
        """Whether any fault is more than a warning."""
        return any(error.severity == "error" for error in self.errors)


def spelled(path: Path) -> str:
    """`pools.edge.endpoints[0].url`."""
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else part
    return out


def parse(text: str, source: str) -> Document:
    """Read one YAML document. Syntax errors, double keys and odd values become faults."""
    document = Document(source=source)
    if len(text) > TEXT_CHARS_MAX:
        document.fault(
            (), f"larger than {TEXT_CHARS_MAX} characters", "Name the right file: this is no fleet."
        )
        return document
    yaml = YAML(typ="safe", pure=True)
    try:
        node = yaml.compose(text)
    except MarkedYAMLError as error:
        document.errors.append(_syntax_error(error, text, source))
        return document
    except YAMLError as error:
        document.fault((), f"not YAML: {error}".split("\n")[0], "Save it as plain UTF-8 text.")
        return document
    if node is None:
        document.fault((), "the file is empty", "Begin with `version: v1`; see examples/.")
        return document
    reader = _Reader(document, yaml.constructor)
    document.data = reader.read(node, (), (node.start_mark.line + 1, node.start_mark.column + 1))
    return document


def _syntax_error(error: MarkedYAMLError, text: str, source: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    line, col = (mark.line, mark.column) if mark is not None else (0, 0)
    lines = text.splitlines()
    shown = lines[line] if line < len(lines) else ""
    prefix = f"{line + 1:>5} | "
    caret = " " * (len(prefix) + len(shown[:col].expandtabs(1))) + "^"
    problem = error.problem or error.context or "not readable"
    if "\t" in shown[: col + 1]:
        step = "YAML may not be indented with tabs: use spaces."
    elif "document" in problem:
        step = "Keep one document in the file: delete the `---` and what follows it."
    else:
        step = "Mend the YAML at the caret (indentation, a colon with a space, closed quotes)."
    return ConfigError(
        line=line + 1,
        col=col + 1,
        source=source,
        path="",
        message=f"YAML syntax: {problem}",
        next_step=step,
        snippet=f"{prefix}{shown.expandtabs(1)}\n{caret}" if shown else "",
    )


class _Reader:
    """Walks the nodes once; aliases are followed, bounded in number and depth."""

    def __init__(self, document: Document, constructor: Any) -> None:
        self.document = document
        self.constructor = constructor
        self.left = NODES_MAX
        self.merges = 0
        self.is_spent = False

    def read(self, node: Node, path: Path, key_at: tuple[int, int]) -> Any:
        self.document.marks[path] = Mark(key=key_at, value=_at(node))
        if not self.spend(path):
            return None
        if isinstance(node, MappingNode):
            return self.mapping(node, path)
        if isinstance(node, SequenceNode):
            return [self.read(item, (*path, i), _at(item)) for i, item in enumerate(node.value)]
        return self.scalar(node, path)

    def spend(self, path: Path) -> bool:
        """Count one node; False, and one fault, when aliases or depth go beyond the bounds."""
        self.left -= 1
        if self.left >= 0 and len(path) + self.merges <= DEPTH_MAX:
            return True
        if not self.is_spent:
            self.document.fault(
                path, "nested or repeated too often", "Use fewer anchors and aliases."
            )
        self.left, self.is_spent = 0, True
        return False

    def mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        out: dict[str, Any] = {}
        seen: dict[str, int] = {}
        merged: list[MappingNode] = []
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                merged += self.merge_sources(value_node, path)
                continue
            key = self.key(key_node, path)
            if key is None:
                continue
            child = (*path, key)
            if key in seen:
                self.document.marks[child] = Mark(key=_at(key_node), value=_at(key_node))
                self.document.fault(
                    child,
                    f"the key {key!r} stands twice (first on line {seen[key]})",
                    "Keep one of the two.",
                    at="key",
                )
                continue
            seen[key] = key_node.start_mark.line + 1
            out[key] = self.read(value_node, child, _at(key_node))
        for source in merged:
            out |= self.inherited(source, path, set(out))
        return out

    def inherited(self, source: MappingNode, path: Path, own: set[str]) -> dict[str, Any]:
        """What `<<: *source` adds: the keys that the mapping has not itself."""
        pairs = [pair for pair in source.value if getattr(pair[0], "value", None) not in own]
        self.merges += 1
        found = {}
        if self.spend(path):
            found = self.mapping(
                MappingNode(source.tag, pairs, source.start_mark, source.end_mark), path
            )
        self.merges -= 1
        return found

    def merge_sources(self, node: Node, path: Path) -> list[MappingNode]:
        found = node.value if isinstance(node, SequenceNode) else [node]
        mappings = [item for item in found if isinstance(item, MappingNode)]
        if len(mappings) == len(found):
            return mappings
        self.document.fault(path, "`<<` needs a mapping", "Point it at an anchor of a mapping.")
        return []

    def key(self, node: Node, path: Path) -> str | None:
        if isinstance(node, ScalarNode) and node.tag == f"{_TAG}str":
            return str(node.value)
        place = (*path, str(getattr(node, "value", "?")) if isinstance(node, ScalarNode) else "?")
        self.document.marks[place] = Mark(key=_at(node), value=_at(node))
        self.document.fault(place, "this key is not text", "Write it in quotes.", at="key")
        return None

    def scalar(self, node: Node, path: Path) -> Any:
        tag = node.tag
        if tag in (f"{_TAG}str", f"{_TAG}timestamp"):
            return str(node.value)
        if tag not in {f"{_TAG}{kind}" for kind in ("int", "float", "bool", "null")}:
            self.document.fault(path, f"the tag {tag!r} means nothing here", "Delete the tag.")
            return None
        try:
            value = self.constructor.construct_object(node, deep=True)
        except (YAMLError, ValueError):
            self.document.fault(path, f"{node.value!r} can't be read", "Write a plain number.")
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self.document.fault(
                path, f"{node.value} is not a finite number", "Give a number, or delete the key."
            )
            return None
        return float(value) if isinstance(value, float) else value


def _at(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1
