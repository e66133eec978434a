"""How near is the twin to real engines today? (Writes docs/results/accuracy.md.)

`python docs/results/make_accuracy.py` runs the commands that the page shows, on the data sets in
$FLYBALL_DATA (else ../shared/data beside the checkout); a set that is absent keeps no table.
"""

import os
import subprocess
import sys
from pathlib import Path

import agents_accuracy

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
DATA = Path(os.environ.get("FLYBALL_DATA", ROOT.parent / "shared" / "data"))

HEAD = """# How accurate is the twin?
<!-- Made by docs/results/make_accuracy.py. -->

Errors are |predicted / measured - 1|; `bias` is the median with its sign. Rows of the split `fit`
took part in a fit and prove nothing; rows of the split `judged` did not. Every table comes from the
command above it, with `$FLYBALL_DATA` the folder of data sets; formats are described in
[the reference](../reference/validate.md). The targets and what limits each figure stand beside it.

No measurement of a `judged` row entered a fitted coefficient. The *form* of the models (which terms
a step has, priors, how a table's columns are read) was chosen with all rows in view, so these
figures are not those of a blind test; a data set that was never seen may do worse.
"""

SECTIONS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "A calibrated engine, request by request",
        "vLLM 0.19 on RTX PRO 6000 (casys-kaist/LLMServingSim, MIT): Llama-3.1-8B on one card and "
        "Qwen3-32B on two over PCIe, 300 requests at 10/s each, above capacity. Targets: E2E mean "
        "3 %, TPOT 3 %, TTFT mean 6 %, p99 8 %. The start is the data sheet, so the communication "
        "over PCIe is found by the fit.",
        (
            "vllm_per_request", "--seqs-max", "128", "--step-tokens-max", "2048",
            "--profile", "RTXPRO6000/Llama-3.1-8B=RTX-PRO-6000:llama-3.1-8b:1",
            "--profile", "RTXPRO6000/Qwen3-32B=RTX-PRO-6000:qwen3-32b:2",
        ),
    ),
    (
        "One profile per model, accelerator and parallelism",
        "vLLM 0.15 on H100, constant arrivals, four models. Targets: E2E 5 %, TTFT 15 %. The worst "
        "rows are the stages at 20 requests/s: nothing in the fit is near that load, and close to "
        "saturation a few per cent of step time become a queue. The prompts' real prefix reuse is "
        "not in the data (chat history, shared system prompts), so it is inside the coefficients.",
        ("vllm_h100_groundtruth",),
    ),
    (
        "Data sheets only: models and accelerators not used in the fit",
        "Closed-loop points of ai-dynamo/aiconfigurator's silicon sample (Apache-2.0). Targets on "
        "judged rows: E2E 10 %, TTFT 20 %, TPOT 12 %. TTFT: measured first tokens come later with "
        "each stream in flight than queueing explains; one fitted term stands for it, its cause is "
        "not established. Far off are Llama-3.1-8B on H200, int4 (weight-only kernels are not "
        "modelled), DeepSeek on B300 and GB200, and three rows of Qwen3-32B that contradict the "
        "others; speculative decoding is not modelled, and engine versions differ within a group.",
        ("silicon_e2e",),
    ),
    (
        "Capacity under latency limits, and ranking",
        "MLPerf Inference v4.1 and v5.1, Server scenario (unofficial processing of published "
        "results). Targets: 10 % after one constant per engine, 95 % of pairs ranked as measured. "
        "Closed division. The limit on TTFT is taken as met, prompt lengths are means that were "
        "not checked, and submissions of one pair differ in tuning: the best one counts.",
        ("mlperf_inference",),
    ),
    (
        "Watts and joules per token",
        "ML.ENERGY v3, vLLM on H100 and B200. Targets: watts 8 %, J/token 10 %. The data holds one "
        "task, so batches and models are left out in place of tasks. A new model's J/token rests "
        "on a computed speed, without its prompts, whose lengths the data does not give. "
        "Llama-3.1-70B and 3.3-70B have one shape and count as two models, which flatters both.",
        ("mlenergy_v3",),
    ),
)  # fmt: skip


def main() -> None:
    """Run each command that has its data and write the page."""
    parts = [HEAD]
    for title, text, args in SECTIONS:
        folder = DATA / args[0]
        print(f"{title} …", file=sys.stderr)
        parts.append(f"## {title}\n\n{text}\n")
        shown = ["flyball", "validate", f"$FLYBALL_DATA/{args[0]}", *args[1:]]
        parts.append("    " + " ".join(shown) + "\n")
        if not folder.is_dir():
            parts.append("The data set was not at hand when this page was made.\n")
            continue
        command = [sys.executable, "-m", "flyball", "validate", str(folder), *args[1:]]
        done = subprocess.run([*command, "-o", "markdown"], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{title}: {done.stderr}")
        parts.append(done.stdout)
    print("Agents' sessions …", file=sys.stderr)
    parts.append(agents_accuracy.section())
    (HERE / "accuracy.md").write_text("\n".join(parts))


if __name__ == "__main__":
    main()
