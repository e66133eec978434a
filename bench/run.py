"""How are all benchmarks run, or some of them, one after the other?

    python bench/run.py                  all
    python bench/run.py gateway core     these
    python bench/run.py gateway --quick  options go on to the benchmarks named

Exit codes: 0 all ran, 1 at least one failed, 2 a name is unknown.
"""

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
PULSE_S = 20.0


def names() -> list[str]:
    """The benchmarks there are."""
    return sorted(file.stem.removeprefix("bench_") for file in HERE.glob("bench_*.py"))


def run(name: str, options: list[str]) -> int:
    """Run one benchmark; its output passes through, and a sign of life comes each 20 s."""
    begun = time.monotonic()
    process = subprocess.Popen([sys.executable, str(HERE / f"bench_{name}.py"), *options])
    try:
        while True:
            try:
                return process.wait(PULSE_S)
            except subprocess.TimeoutExpired:
                say(f"   {name}: {time.monotonic() - begun:.0f} s")
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def say(text: str) -> None:
    """Narration goes to stderr."""
    print(text, file=sys.stderr, flush=True)


def main(words: list[str]) -> int:
    """Run what is asked for; the exit code."""
    known = names()
    options = [word for word in words if word.startswith("-")]
    asked = [word for word in words if not word.startswith("-")]
    unknown = [word for word in asked if word not in known]
    if unknown or (options and not asked):
        reason = f"no benchmark {', '.join(unknown)}" if unknown else "options need a name"
        say(f"bench: {reason}.\n    There are: {', '.join(known)}.")
        return 2
    chosen = asked or known
    failed = []
    for count, name in enumerate(chosen, 1):
        say(f"\n== {name} ({count} of {len(chosen)})")
        begun = time.monotonic()
        code = run(name, options)
        if code:
            failed.append(name)
        say(f"== {name}: {'ok' if code == 0 else f'FAILED, exit {code}'}, "
            f"{time.monotonic() - begun:.0f} s")  # fmt: skip
    if failed:
        say(f"\nbench: {len(failed)} of {len(chosen)} failed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
