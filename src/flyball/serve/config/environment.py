"""What does the environment add: overrides of single keys, and `${NAME}` where a key allows it?"""

import re
from collections.abc import Mapping
from typing import Any

from flyball.serve.config.errors import did_you_mean, listed
from flyball.serve.config.model import ENV_MARK
from flyball.serve.config.schema import Node, keys_known, root, step
from flyball.serve.config.text import Document, Path, parse, spelled

PREFIX = "FLYBALL__"
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def override(document: Document, env: Mapping[str, str]) -> None:
    """Set each key named by `FLYBALL__SECTION__KEY=value`; `-` and `.` of a name are `_` there.

    The value is read as YAML (`[a, b]` is a list), unless only text may stand there. What names no
    key becomes a fault.
    """
    if not isinstance(document.data, dict):
        return
    for name in sorted(env):
        if name.startswith(PREFIX):
            _override_one(document, name, env[name])


def _override_one(document: Document, name: str, text: str) -> None:
    holder: Any = document.data
    nodes = root()
    path: Path = ()
    parts = name[len(PREFIX) :].split("__")
    for place, part in enumerate(parts):
        key = _key(holder, nodes, part)
        nodes = step(nodes, key) if key is not None else []
        if key is None or not nodes:
            _unknown(document, name, path, part)
            return
        path = (*path, key)
        if place == len(parts) - 1:
            holder[key] = _value(text, nodes)
            document.overrides[path] = name
            return
        below = holder.get(key) if isinstance(holder, dict) else holder[int(key)]
        if below is None:
            below = {}
            holder[key] = below
            document.overrides[path] = name
        if not isinstance(below, dict | list):
            _unknown(document, name, path, parts[place + 1])
            return
        holder = below


def _key(holder: Any, nodes: list[Node], part: str) -> str | int | None:
    """The key or index meant by one part of a variable's name; None = no such place."""
    if isinstance(holder, list):
        return int(part) if part.isascii() and part.isdigit() and int(part) < len(holder) else None
    if not part:
        return None
    known = [*holder, *keys_known(nodes)]
    meant = {_plain(key): key for key in reversed(known)}
    if found := meant.get(_plain(part)):
        return found
    takes_names = any(isinstance(node.get("additionalProperties"), dict) for node in nodes)
    return part.lower() if takes_names else None


def _plain(key: str) -> str:
    return re.sub(r"[-.]", "_", key).casefold()


def _value(text: str, nodes: list[Node]) -> Any:
    if all(node.get("type") in ("string", "null") or "enum" in node for node in nodes):
        return text
    read = parse(text, "")
    return text if read.errors else read.data


def _unknown(document: Document, name: str, path: Path, part: str) -> None:
    nodes = root()
    for key in path:
        nodes = step(nodes, key)
    known = keys_known(nodes)
    document.overrides[(name,)] = name
    document.fault(
        (name,),
        f"{part!r} names nothing under {spelled(path) or 'the top level'}",
        f"{did_you_mean(part, known)}Keys there: {listed(known)}.",
    )


def expand(document: Document, env: Mapping[str, str], *, is_lenient: bool = False) -> None:
    """Replace `${NAME}` and `${NAME:-default}` in the keys that allow it; elsewhere it is a fault.

    An unset variable is a fault; with `is_lenient`, a warning, and the reference stays.
    """
    document.data = _expanded(document, (), document.data, root(), env, is_lenient)


def _expanded(
    document: Document,
    path: Path,
    value: Any,
    nodes: list[Node],
    env: Mapping[str, str],
    is_lenient: bool,
) -> Any:
    if isinstance(value, dict):
        return {
            key: below
            if not path and key.startswith("x-")
            else _expanded(document, (*path, key), below, step(nodes, key), env, is_lenient)
            for key, below in value.items()
        }
    if isinstance(value, list):
        return [
            _expanded(document, (*path, i), below, step(nodes, i), env, is_lenient)
            for i, below in enumerate(value)
        ]
    if not isinstance(value, str) or "${" not in value:
        return value
    if not any(node.get(ENV_MARK) for node in nodes):
        document.fault(
            path,
            "`${…}` is not replaced in this key",
            "Write the value itself, or override the key with "
            f"{PREFIX}{'__'.join(str(part).upper() for part in path)}=value.",
        )
        return value
    return _replaced(document, path, value, env, is_lenient)


def _replaced(
    document: Document, path: Path, text: str, env: Mapping[str, str], is_lenient: bool
) -> str:
    def one(match: re.Match[str]) -> str:
        name, default = match.group(1), match.group(2)
        if name in env:
            return env[name]
        if default is not None:
            return default
        document.fault(
            path,
            f"the environment variable {name} is not set",
            f"Set it, or give a default: ${{{name}:-value}}.",
            severity="warning" if is_lenient else "error",
        )
        return match.group(0)

    done = _REFERENCE.sub(one, text)
    if "${" in _REFERENCE.sub("", text):
        document.fault(path, "a `${` is not closed or has no name", "Write ${NAME}.")
    return done
