"""Which profiles of the catalogue come from data sheets? (Writes them into its file.)

`python docs/results/make_profiles.py` writes them again after `fit_efficiency.py`; profiles fitted
to measurements are left as they are. The bends of a step's cost are kept out: a fleet file could
not override them.
"""

import json
from pathlib import Path

import msgspec
from msgspec.structs import replace

from flyball.sim.calibrate import straight
from flyball.sim.physics import profile_of

FILE = Path(__file__).parents[2] / "src" / "flyball" / "data" / "profiles.json"
MARK = "Computed from data sheets"
# accelerator, model, accelerators of a replica, precision, engine
COMPUTED = (
    ("TPU-v5e", "llama-3.1-8b", 4, "bf16", "vllm"),
    ("Gaudi2", "llama-3.1-8b", 1, "bf16", "vllm"),
    ("B300", "llama-3.1-8b", 1, "bf16", "vllm"),
    ("GB200", "llama-3.1-70b", 1, "fp4", "trtllm"),
    ("A100-SXM-80GB", "llama-3.1-70b", 4, "bf16", "vllm"),
    ("H200-SXM", "llama-3.1-70b", 2, "fp8", "vllm"),
    ("MI300X", "llama-3.1-70b", 1, "fp8", "vllm"),
    ("L40S", "qwen3-32b", 2, "fp8", "vllm"),
    ("H100-SXM", "llama-3.1-405b", 8, "fp8", "vllm"),
    ("H200-SXM", "qwen3-235b-a22b", 4, "fp8", "sglang"),
    ("H200-SXM", "deepseek-r1", 8, "fp8", "sglang"),
    ("B200", "gpt-oss-120b", 1, "fp4", "vllm"),
)


def main() -> None:
    """Replace the computed profiles of the catalogue by fresh ones."""
    kept = [one for one in json.loads(FILE.read_text()) if not one["source"].startswith(MARK)]
    for chip, model, count, precision, engine in COMPUTED:
        found = straight(profile_of(chip, model, count, precision, engine))
        short = chip.lower().partition("-sxm")[0]
        many = f"x{count}" if count > 1 else ""
        named = replace(
            found,
            name=f"{short}{many}/{model}",
            source=f"{MARK}, {precision} under {engine}; {found.source.partition('; ')[2]}",
            error="computed, not measured; time per token within 11 % (median) on pairs judged",
        )
        kept.append(json.loads(msgspec.json.encode(named)))
    FILE.write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main()
