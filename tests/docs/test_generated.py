"""Are the generated reference, schema and dashboard what the code says now?"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_generated_files_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_the_reference_covers_every_fault_metric_and_key() -> None:
    from flyball.model.faults import FAULTS
    from flyball.serve.config.schema import schema
    from flyball.serve.telemetry import names

    errors, metrics, keys = (
        (ROOT / "docs" / "reference" / f"{page}.md").read_text()
        for page in ("errors", "metrics", "config")
    )
    assert [code for code in FAULTS if f"`{code}`" not in errors] == []
    told = [*names.METRICS, *names.ATTRIBUTES, *names.OTEL_METRICS]
    assert [name for name in told if f"`{name}`" not in metrics] == []
    sections = schema()["$defs"].values()
    wanted = [key for section in sections for key in section["properties"]]
    assert [key for key in wanted if f"| `{key}` |" not in keys] == []
