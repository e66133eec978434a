"""How does a real server that some tests need get its own environment, without touching ours?

`python tests/real/env.py mlserver` makes `.envs/mlserver` (about 40 s and 530 MB, Python 3.11 or
3.12) and trains the model that the tests serve; `ray` makes `.envs/ray` (about 20 s and 390 MB).
Tests skip, saying this line, where it has not been run.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2] / ".envs"
PACKAGES = {
    "mlserver": ("mlserver==1.7.1", "mlserver-sklearn==1.7.1"),
    # With what a run of ours imports: the machines of a cluster bring it, and not this package.
    "ray": (
        "ray[client]==2.60.0", "click", "highspy", "jsonschema", "msgspec", "numpy", "rich",
        "ruamel.yaml", "xxhash",
    ),
}  # fmt: skip
_DONE = "ready"


def python_of(name: str) -> Path | None:
    """The interpreter of a finished environment, None if it has not been made."""
    folder = ROOT / name
    return folder / "bin" / "python" if (folder / _DONE).is_file() else None


def how_to_make(name: str) -> str:
    """The sentence that a skipped test gives as its reason."""
    return f"the environment {name} is not there: run `python tests/real/env.py {name}`"


def make(name: str) -> None:
    """Make the environment anew if it is not finished; raises CalledProcessError if pip fails."""
    if python_of(name):
        return
    folder = ROOT / name
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", *PACKAGES[name]]
    subprocess.run(pip, check=True)
    (folder / _DONE).touch()


def main() -> int:
    """Make the environments named on the command line; 2 for a name that is not known."""
    names = sys.argv[1:]
    unknown = [name for name in names if name not in PACKAGES]
    if unknown or not names:
        print(f"usage: env.py {' | '.join(PACKAGES)} (not: {', '.join(unknown)})", file=sys.stderr)
        return 2
    for name in names:
        make(name)
        print(ROOT / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
