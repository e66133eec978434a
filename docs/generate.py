"""Which reference pages, schema and dashboard follow from the code, and are those here fresh?

`python docs/generate.py` writes them; with `--check` it only compares, and exits 1 if any differs.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from dashboard import dashboard_text
from finding_pages import finding_pages

from flyball.cli import COMMANDS, main
from flyball.dialects.engines import ENGINES
from flyball.dialects.profiles import catalogue
from flyball.model.faults import FAULTS, Party
from flyball.serve.config.schema import Node, alternatives, root, schema_text
from flyball.serve.telemetry import names
from flyball.sim.rivals.constants import Kind, Rival, rivals

ROOT = Path(__file__).parents[1]
MADE = "<!-- Made by docs/generate.py: change the source named below, then run `make docs`. -->"
HELP_WIDTH = 100
PARTIES: dict[Party, str] = {
    "caller": "The caller's fault",
    "policy": "Refused by policy",
    "fleet": "The fleet's state",
    "own": "The gateway's own fault",
}

RIVAL_KINDS: dict[Kind, str] = {
    "router": "Routers",
    "autoscaler": "Autoscalers",
    "power": "Power",
    "truncation": "Cost",
    "retry": "Retries",
}


def pages() -> dict[Path, str]:
    """Every generated file with its fresh text."""
    reference = ROOT / "docs" / "reference"
    return {
        reference / "config.md": config_page(),
        reference / "metrics.md": metrics_page(),
        reference / "errors.md": errors_page(),
        reference / "cli.md": cli_page(),
        reference / "rivals.md": rivals_page(),
        **{reference / "findings" / name: text for name, text in finding_pages(MADE).items()},
        ROOT / "schema" / "flyball.v1.json": schema_text(),
        ROOT / "dashboards" / "flyball.json": dashboard_text(),
    }


def config_page() -> str:
    """Every key of the fleet file: out of the schema."""
    lines = [
        "# The fleet file",
        MADE,
        "",
        "Source: `src/flyball/serve/config/model.py`; JSON Schema: `schema/flyball.v1.json` (also",
        "`flyball schema`). One YAML 1.2 file; units stand in the keys; unknown keys are errors.",
        "",
        "- `flyball check FILE` tells all faults at once, with file:line:column.",
        "- `FLYBALL__SECTION__KEY=value` in the environment overrides a key; `-` and `.` of a name",
        "  are written `_`: `FLYBALL__POOLS__EDGE_L4__MODELS='[a, b]'`.",
        "- `${NAME}` and `${NAME:-default}` are replaced in the keys marked **env**, nowhere else.",
        "- Keys beginning with `x-` at the top level hold YAML anchors.",
        "- Relative paths are taken from the fleet file's folder.",
    ]
    for title, node in _sections():
        lines += ["", f"## {title}", "", str(node.get("description", "")), ""]
        lines += _table(["key", "kind", "default", "meaning"], _key_rows(node))
    lines += ["", "## Profiles of the catalogue", ""]
    lines += _table(
        ["name", "accelerators", "KV tokens", "sequences", "USD/h"],
        [
            [
                f"`{p.name}`",
                p.accelerators,
                p.limits.kv_tokens_max,
                p.limits.seqs_max,
                p.usd_per_hour,
            ]
            for p in catalogue().values()
        ],
    )
    lines += ["", "## Engines", ""]
    lines += _table(
        ["engine", "metrics", "health", "surfaces", "to know"],
        [
            [
                f"`{kind}`",
                f"`{engine.metrics_path}`" if engine.metrics_path else "–",
                f"`{engine.health_path}`" if engine.health_path else "–",
                ", ".join(engine.surfaces),
                " ".join(engine.quirks),
            ]
            for kind, engine in ENGINES.items()
        ],
    )
    return _page(lines)


def _sections() -> Iterator[tuple[str, Node]]:
    """The file itself, then each section below it, once, in the order of the keys."""
    waiting: list[tuple[str, Node]] = [("Top level", root()[0])]
    seen: set[str] = set()
    while waiting:
        title, node = waiting.pop(0)
        if node["title"] in seen:
            continue
        seen.add(node["title"])
        yield title, node
        base = "" if title == "Top level" else f"{title}."
        below: list[tuple[str, Node]] = []
        for key, value in node["properties"].items():
            for found, place in _mappings(value, f"{base}{key}"):
                below.append((place, found))
        waiting = below + waiting


def _mappings(node: Node, place: str) -> Iterator[tuple[Node, str]]:
    for plain in alternatives(node):
        if "properties" in plain:
            yield plain, place
        elif isinstance(plain.get("additionalProperties"), dict):
            yield from _mappings(plain["additionalProperties"], f"{place}.NAME")
        elif plain.get("type") == "array":
            yield from _mappings(plain["items"], f"{place}[]")


def _key_rows(node: Node) -> list[list[Any]]:
    required = node.get("required", [])
    return [
        [
            f"`{key}`",
            _kind(value),
            "**required**" if key in required else _default(value),
            value.get("description", ""),
        ]
        for key, value in node["properties"].items()
    ]


def _kind(node: Node) -> str:
    kinds = [_plain_kind(plain) for plain in alternatives(node) if plain.get("type") != "null"]
    is_env = any(plain.get("x-env") for plain in alternatives(node))
    return " or ".join(dict.fromkeys(kinds)) + (" **env**" if is_env else "")


def _plain_kind(node: Node) -> str:
    if "enum" in node:
        return ", ".join(f"`{word}`" for word in node["enum"])
    if node["type"] == "array":
        return f"list of {_kind(node['items'])}"
    if node["type"] == "object":
        below = node.get("additionalProperties")
        return "sections by name" if isinstance(below, dict) else "section"
    words = {"string": "text", "number": "number", "integer": "whole number", "boolean": "yes/no"}
    bounds = [
        f"{sign} {node[key]}"
        for key, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
        )
        if key in node
    ]
    return " ".join([words[node["type"]], *bounds])


def _default(node: Node) -> str:
    value = node.get("default")
    if value is None or isinstance(value, dict):
        return "–"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value in ("", []):
        return "empty"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def metrics_page() -> str:
    """Every metric, span and attribute: out of `names`."""
    lines = [
        "# Metrics, spans and attributes",
        MADE,
        "",
        "Source: `src/flyball/serve/telemetry/names.py`. Prometheus metrics stand at `/metrics`.",
        "Values of `class` and `model` that clients choose are told apart up to 1,000, then",
        "`other`.",
        "",
        "## Prometheus",
        "",
    ]
    lines += _table(
        ["name", "kind", "unit", "labels", "meaning"],
        [
            [f"`{m.name}`", m.kind, m.unit or "–", ", ".join(m.labels) or "–", m.about]
            for m in names.METRICS.values()
        ],
    )
    lines += [
        "",
        "## OpenTelemetry",
        "",
        "Sent over OTLP/HTTP when `telemetry.otlp_endpoint` or `OTEL_EXPORTER_OTLP_ENDPOINT` is",
        "set.",
        "",
        f"{names.SPAN_ABOUT}",
        "",
    ]
    lines += _table(
        ["metric", "meaning"], [[f"`{name}`", text] for name, text in names.OTEL_METRICS.items()]
    )
    lines += ["", "### Attributes of the span", ""]
    lines += _table(
        ["attribute", "meaning"],
        [[f"`{one.name}`", one.about] for one in names.ATTRIBUTES.values()],
    )
    return _page(lines)


def errors_page() -> str:
    """Every refusal: out of `FAULTS`."""
    lines = [
        "# Errors",
        MADE,
        "",
        "Source: `src/flyball/model/faults.py`. Clients match on `code`, which never changes. The",
        "body is in the client's own format (OpenAI, Anthropic or Open Inference Protocol).",
    ]
    for party, title in PARTIES.items():
        rows = [
            [
                f"`{f.code}`",
                f.status,
                f"`{f.openai_type}`",
                "yes" if f.should_retry else "no",
                f.message.replace("{detail}", "…"),
                f.next_step,
            ]
            for f in FAULTS.values()
            if f.party == party
        ]
        lines += ["", f"## {title}", ""]
        lines += _table(["code", "status", "type", "retry", "message", "what to do"], rows)
    return _page(lines)


def rivals_page() -> str:
    """Every rival of the simulated world with its constants: out of the catalogue."""
    lines = [
        "# Rivals of the simulated world",
        MADE,
        "",
        "Source: `src/flyball/data/rivals.json`. Each runs by its own published rule, in",
        "`src/flyball/sim/rivals/`; a scenario may replace single constants. The last column names",
        'where a value is published; "assumed" says that nothing was.',
    ]
    for kind, title in RIVAL_KINDS.items():
        lines += ["", f"## {title}"]
        for rival in rivals().values():
            if rival.kind == kind:
                lines += _rival_lines(rival)
    return _page(lines)


def _rival_lines(rival: Rival) -> list[str]:
    version = f"Version: {rival.version}." if rival.version else ""
    text = " ".join(part for part in (rival.title + ".", version, rival.note) if part)
    lines = ["", f"### {rival.name}", "", text]
    if not rival.constants:
        return lines
    rows = [[f"`{c.name}`", f"{c.value:.12g}", c.unit or "–", c.source] for c in rival.constants]
    return [*lines, "", *_table(["constant", "default", "unit", "source"], rows)]


def cli_page() -> str:
    """The help of every command."""
    lines = ["# Commands", MADE, "", "```text", *_help(main, "flyball"), "```"]
    parent = click.Context(main, info_name="flyball")
    for name in COMMANDS:
        command = main.get_command(parent, name)
        assert command is not None, name
        lines += [
            "",
            f"## flyball {name}",
            "",
            "```text",
            *_help(command, f"flyball {name}"),
            "```",
        ]
    return _page(lines)


def _help(command: click.Command, name: str) -> list[str]:
    context = click.Context(
        command,
        info_name=name,
        terminal_width=HELP_WIDTH,
        max_content_width=HELP_WIDTH,
        help_option_names=["-h", "--help"],
    )
    return [line.rstrip() for line in command.get_help(context).splitlines()]


def _table(heads: list[str], rows: list[list[Any]]) -> list[str]:
    def line(cells: list[Any]) -> str:
        return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"

    return [line(heads), line(["---"] * len(heads)), *(line(row) for row in rows)]


def _page(lines: list[str]) -> str:
    return "\n".join(lines) + "\n"


def run(is_check: bool) -> int:
    """Write or compare all pages; how many were not fresh."""
    stale = 0
    for path, text in pages().items():
        if path.exists() and path.read_text() == text:
            continue
        stale += 1
        name = path.relative_to(ROOT)
        if is_check:
            print(f"{name} is not what the code says: run `make docs`", file=sys.stderr)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"wrote {name}", file=sys.stderr)
    return stale


if __name__ == "__main__":
    is_check = sys.argv[1:] == ["--check"]
    sys.exit(1 if run(is_check) and is_check else 0)
