"""Is what the wheel compiles fit to be compiled, and is the compiled build the one under test?

mypyc drops the keywords and annotations of msgspec structs, and its slice of bytes raises where the
start lies behind the end; both would be found only at run time.
"""

import ast
import os
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def compiled_files() -> list[Path]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    hook = project["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["mypyc"]
    return sorted(file for pattern in hook["include"] for file in ROOT.glob(pattern))


FILES = compiled_files()


def test_each_pattern_names_files() -> None:
    assert len(FILES) > 30
    assert all(file.is_file() for file in FILES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT / "src")))
def test_a_compiled_file_holds_no_struct(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ClassDef):
            bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
            assert "Struct" not in bases, f"{file}:{node.lineno} is a struct in a compiled file"


@pytest.mark.skipif("compiled" not in os.environ.get("PYTHONPATH", ""), reason="interpreted run")
@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT / "src")))
def test_the_compiled_build_is_what_runs(file: Path) -> None:
    name = ".".join(file.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    import_module(name)
    spec = find_spec(name)
    assert spec is not None and spec.origin is not None and spec.origin.endswith(".so")
