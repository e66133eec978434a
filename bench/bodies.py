"""What do the benchmarks ask for? Chat requests of 1.5 KB, as a whole answer or as a stream.

All have the same system prompt; the user's part begins with a number that the load generator sets.
"""

import json
from pathlib import Path

import rig

BODY_BYTES = 1500
OUTPUT_TOKENS_MAX = 64
NONCE = "@" * 8


def whole(folder: Path) -> Path:
    """A request for one JSON answer, as a file."""
    return _write(folder / "whole.json", {"max_tokens": OUTPUT_TOKENS_MAX, "temperature": 0.2})


def stream(folder: Path) -> Path:
    """A request for a stream of events, as a file."""
    return _write(folder / "stream.json", {"max_tokens": 200, "stream": True})


def _write(file: Path, rest: dict[str, object]) -> Path:
    messages = [
        {"role": "system", "content": "You are a careful assistant; answer in one paragraph."},
        {"role": "user", "content": ""},
    ]
    document = {"model": rig.MODEL, "messages": messages, **rest}
    missing = BODY_BYTES - len(json.dumps(document))
    question = NONCE + " How does a flyball governor keep its speed?" * 40
    messages[1]["content"] = question[:missing]
    file.write_text(json.dumps(document))
    return file
