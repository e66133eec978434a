"""A small fleet file for tests, to be changed by replacing parts of its text."""

from pathlib import Path

from flyball.serve.config import Config, ConfigErrors
from flyball.serve.config.load import read

FLEET = """\
version: v1
sites:
  near: {jurisdiction: NO, tier: edge, rtt_ms: 2}
  far: {jurisdiction: US, rtt_ms: 95}
pools:
  small:
    site: near
    engine: vllm
    profile: l4/llama-3.1-8b
    models: [m]
    endpoints: ["http://127.0.0.1:8101"]
  big:
    site: far
    engine: openai
    profile: h100/llama-3.1-8b
    models: [m, chat]
    endpoints: [{url: "http://127.0.0.1:8102/", api_key_env: BIG_KEY}]
classes:
  talk: {ttft_ms: 900}
  bulk: {sheddable: true}
principals:
  ann: {key_env: ANN_KEY, classes: [talk]}
"""
ENV = {"BIG_KEY": "engine-secret", "ANN_KEY": "ann-secret"}


def changed(*pairs: tuple[str, str]) -> str:
    """The file with each (old, new) replaced; fails if an old part is not there."""
    text = FLEET
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def config(
    *pairs: tuple[str, str],
    env: dict[str, str] = ENV,
    folder: Path = Path("/nowhere"),
    is_lenient: bool = False,
) -> Config:
    """The configuration of the changed file."""
    return read(changed(*pairs), "fleet.yaml", env, folder, is_lenient=is_lenient)


def faults(
    *pairs: tuple[str, str], env: dict[str, str] = ENV, folder: Path = Path("/nowhere")
) -> list[str]:
    """`severity path: message | next step` of each fault of the changed file, warnings too."""
    try:
        found = list(config(*pairs, env=env, folder=folder).warnings)
    except ConfigErrors as errors:
        found = errors.errors
    return [f"{e.severity} {e.path}: {e.message} | {e.next_step}" for e in found]
