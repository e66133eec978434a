"""Which measurements stand in a benchmark's table, whatever its columns are called?

Five layouts, told apart by their columns (docs/reference/validate.md): one row per request, per
load stage, per operating point, per capacity result, per power reading. Rows come as mappings of
text, from CSV or JSON alike; figures become SI units here.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from flyball.dialects.sheets import accelerators, architectures
from flyball.model.hardware import Layout
from flyball.units import Joules, Seconds, Tokens, Watts, seconds_from_ms

Kind = Literal["per-request", "stages", "points", "mlperf", "power"]
Row = Mapping[str, Any]

# The first name found among a row's columns is used; `_ms` names are milliseconds.
COLUMNS: dict[str, tuple[str, ...]] = {
    "at": ("queued_s", "arrival_s", "arrival_ms", "timestamp_s", "timestamp_ms"),
    "input": ("input_tokens", "prompt_tokens", "prompt_len_mean", "prompt_len", "isl"),
    "output": ("output_tokens", "completion_tokens", "output_len_mean", "output_len", "osl"),
    "ttft": (
        "ttft_s",
        "ttft_ms",
        "ttft_mean_ms",
        "silicon_ttft_ms",
        "mean_ttft_ms",
        "median_ttft_ms",
    ),
    "tpot": ("tpot_s", "tpot_ms", "silicon_tpot_ms", "mean_tpot_ms", "median_tpot_ms"),
    "e2e": ("e2e_s", "e2e_ms", "latency_s", "latency_ms", "e2e_mean_ms"),
    "first": ("first_token_s", "first_token_ms"),
    "last": ("last_token_s", "last_token_ms", "end_s"),
    "model": ("model_path", "model_id", "model"),
    "accelerator": ("accelerator", "system", "gpu_model", "gpu", "hardware"),
    "tensor": ("tp_size", "tensor_parallel", "tp"),
    "engine": ("backend", "engine"),
    "batch": ("avg_batch_size", "batch"),
}

# Requests over concurrency in the usual closed loop: InferenceX runs 10 x concurrency prompts.
USUAL_WAVES = 10.0


class BenchError(ValueError):
    """A table that cannot be used; the message names the place and what to do."""


class RequestRow(Struct, frozen=True):
    """One request of one run, times from the run's beginning."""

    run: str
    at_s: Seconds
    input_tokens: Tokens
    output_tokens: Tokens
    ttft_s: Seconds
    e2e_s: Seconds


class StageRow(Struct, frozen=True):
    """Means over one stage of constant load; `failed` requests make it unfit for a fit."""

    engine_name: str
    model: str
    accelerator: str
    tensor: int
    workload: str
    rate_rps: float
    input_tokens: float
    output_tokens: float
    ttft_s: Seconds
    e2e_s: Seconds
    failed: int
    seqs_max: int
    step_tokens_max: int


class PointRow(Struct, frozen=True):
    """Figures of a closed loop of `concurrency` requests of fixed nominal lengths.

    Means over a run of `waves` x `concurrency` requests, the first wave included, or `medians`.
    """

    model: str
    accelerator: str
    precision: str
    engine: str
    layout: Layout
    input_tokens: Tokens
    output_tokens: Tokens
    concurrency: int
    ttft_s: Seconds
    tpot_s: Seconds
    waves: float = USUAL_WAVES
    medians: bool = False


class CapacityRow(Struct, frozen=True):
    """Tokens per second that a system sustains under p99 limits (0 = none: offline)."""

    edition: str
    model: str
    accelerator: str
    count: int
    engine: str
    scenario: str
    tokens_per_s: float
    ttft_s_max: Seconds
    tpot_s_max: Seconds


class PowerRow(Struct, frozen=True):
    """Watts and speed of one configuration at one mean batch."""

    model: str
    accelerator: str
    count: int
    precision: str
    batch: float
    watts: Watts
    itl_s: Seconds
    tokens_per_s: float
    joules_per_token: Joules


def kind_of(columns: Iterable[str]) -> Kind:
    """The layout that has these columns; BenchError if none has."""
    known = set(columns)
    if known & {"avg_power_watts", "watts"}:
        return "power"
    if "scenario" in known and "tokens_per_s" in known:
        return "mlperf"
    if "concurrency" in known and known & set(COLUMNS["tpot"]):
        return "points"
    if "rate_rps" in known:
        return "stages"
    if known & set(COLUMNS["at"]) and known & {*COLUMNS["ttft"], *COLUMNS["first"]}:
        return "per-request"
    raise BenchError(
        f"no layout has the columns {', '.join(sorted(known)[:12])} …; "
        "docs/reference/validate.md lists the columns of each"
    )


def request_rows(rows: Iterable[Row], place: str) -> list[RequestRow]:
    """Rows of one request each, in order of run and arrival; those without an answer are left out.

    Raises BenchError naming `place` and the row for a figure that is missing or makes no sense.
    """
    found = [_request(row, f"{place}, row {number}") for number, row in enumerate(rows, 1)]
    kept = [row for row in found if row.output_tokens > 0]
    if not kept:
        raise BenchError(f"{place}: no request has an answer")
    return sorted(kept, key=lambda row: (row.run, row.at_s))


def _request(row: Row, place: str) -> RequestRow:
    at = _time(row, "at", place)
    if _has(row, "first"):
        ttft, e2e = _time(row, "first", place) - at, _time(row, "last", place) - at
    else:
        ttft, e2e = _time(row, "ttft", place), _time(row, "e2e", place)
    if ttft < 0 or e2e < ttft:
        raise BenchError(f"{place}: the first token comes before the request, or after the last")
    tokens = int(_number(row, "input", place)), int(_number(row, "output", place))
    if tokens[0] < 1 or tokens[1] < 0:
        raise BenchError(f"{place}: {tokens[0]} input tokens and {tokens[1]} output tokens")
    return RequestRow(str(row.get("run", "run")), at, *tokens, ttft, e2e)


def stage_rows(rows: Iterable[Row], place: str) -> list[StageRow]:
    """Rows of one load stage each. Raises BenchError as `request_rows` does."""
    return [
        StageRow(
            engine_name=str(row.get("engine", "vllm")),
            model=architecture_of(_text(row, "model")),
            accelerator=accelerator_of(_text(row, "accelerator")),
            tensor=int(_number(row, "tensor", where, 1)),
            workload=str(row.get("workload", "load")),
            rate_rps=_plain(row, "rate_rps", where),
            input_tokens=_number(row, "input", where),
            output_tokens=_number(row, "output", where),
            ttft_s=_time(row, "ttft", where),
            e2e_s=_time(row, "e2e", where),
            failed=int(_plain(row, "n_fail", where, 0)),
            seqs_max=int(_plain(row, "max_num_seqs", where, 0)),
            step_tokens_max=int(_plain(row, "max_num_batched_tokens", where, 0)),
        )
        for where, row in _placed(rows, place)
    ]


def point_rows(rows: Iterable[Row], place: str) -> list[PointRow]:
    """Aggregated closed-loop points; split prefill, pipelines and rows without figures left out."""
    found: list[PointRow] = []
    for where, row in _placed(rows, place):
        if row.get("mode", "agg") != "agg" or _plain(row, "pp_size", where, 1) != 1:
            continue
        times = _number(row, "ttft", where, 0), _number(row, "tpot", where, 0)
        if min(times) <= 0 or row.get("concurrency") in (None, ""):
            continue
        concurrency = max(1, int(_plain(row, "concurrency", where)))
        prompts = _plain(row, "num_prompts", where, USUAL_WAVES * concurrency)
        found.append(
            PointRow(
                model=architecture_of(_text(row, "model")),
                accelerator=accelerator_of(_text(row, "accelerator")),
                precision=_precision(row),
                engine=_text(row, "engine") or "vllm",
                layout=_layout(row, where),
                input_tokens=int(_number(row, "input", where)),
                output_tokens=int(_number(row, "output", where)),
                concurrency=concurrency,
                ttft_s=_time(row, "ttft", where),
                tpot_s=_time(row, "tpot", where),
                waves=max(1.0, prompts / concurrency),
                medians=_name(row, "ttft").startswith("median"),
            )
        )
    return found


def _layout(row: Row, where: str) -> Layout:
    """What a row's parallel sizes mean on one server of up to 8 accelerators.

    The sample multiplies sizes that InferenceX gives side by side: attention by data over all
    accelerators is written tp = dp, and tensor with expert parallelism tp = moe_tp x moe_ep.
    """
    tensor = max(1, int(_number(row, "tensor", where, 1)))
    data = max(1, int(_plain(row, "attention_dp_size", where, 1)))
    if tensor == data > 1:
        return Layout(1, data)
    experts = int(_plain(row, "moe_ep_size", where, 1))
    if tensor * data > 8 and experts == int(_plain(row, "moe_tp_size", where, 1)):
        return Layout(experts) if data == 1 else Layout(1, experts)
    return Layout(tensor, data)


def capacity_rows(rows: Iterable[Row], place: str) -> list[CapacityRow]:
    """MLPerf results, closed division; unknown models and accelerators are left blank, not out."""
    return [
        CapacityRow(
            edition=str(row.get("round", "")),
            model=architecture_of(_text(row, "model")),
            accelerator=accelerator_of(_text(row, "accelerator")),
            count=int(_plain(row, "acc_per_node", where, 1) * _plain(row, "nodes", where, 1)),
            engine=_framework(str(row.get("framework", ""))),
            scenario=str(row["scenario"]).lower(),
            tokens_per_s=_plain(row, "tokens_per_s", where, 0),
            ttft_s_max=seconds_from_ms(_plain(row, "ttft_limit_ms", where, 0)),
            tpot_s_max=seconds_from_ms(_plain(row, "tpot_limit_ms", where, 0)),
        )
        for where, row in _placed(rows, place)
        if row.get("division") in (None, "", "closed")
    ]


def power_rows(rows: Iterable[Row], place: str) -> list[PowerRow]:
    """Power readings; J per token from the column, else watts / tokens per second."""
    found: list[PowerRow] = []
    for where, row in _placed(rows, place):
        watts = _plain(row, "avg_power_watts", where, _plain(row, "watts", where, 0))
        speed = _plain(row, "output_throughput_tokens_per_sec", where, 0) or _plain(
            row, "tokens_per_s", where, 0
        )
        if watts <= 0 or speed <= 0:
            raise BenchError(f"{where}: power and tokens per second must be above 0")
        found.append(
            PowerRow(
                model=_text(row, "model").rpartition("/")[2],
                accelerator=accelerator_of(_text(row, "accelerator")),
                count=int(_plain(row, "num_gpus", where, 1)),
                precision=_precision(row),
                batch=_number(row, "batch", where),
                watts=watts,
                itl_s=seconds_from_ms(_plain(row, "median_itl_ms", where, 0)),
                tokens_per_s=speed,
                joules_per_token=_plain(row, "energy_per_token_joules", where, watts / speed),
            )
        )
    return found


def architecture_of(text: str) -> str:
    """The known model shape that a model's name means, "" if none: org and suffixes do not count.

    >>> architecture_of("meta-llama/Llama-3.1-8B-Instruct-FP8")
    'llama-3.1-8b'
    """
    tail = text.rpartition("/")[2].lower().replace("_", ".")
    tail = re.sub(r"^llama(\d)", r"llama-\1", tail)
    fitting = [name for name in architectures() if tail.startswith(name)]
    return max(fitting, key=len, default="")


# What a vendor's wording must contain as words, in this order; "" = a relative with its own sheet.
_CHIPS = (
    ("H100 NVL", ""), ("H100 PCIE", ""), ("H100", "H100-SXM"), ("H200", "H200-SXM"),
    ("GB200", "GB200"), ("B200", "B200"), ("B300", "B300"), ("A100", "A100-SXM-80GB"),
    ("L40S", "L40S"), ("L4", "L4"), ("MI300X", "MI300X"), ("V5E", "TPU-v5e"), ("V6E", "TPU-v6e"),
    ("RTXPRO6000", "RTX-PRO-6000"), ("RTX PRO 6000", "RTX-PRO-6000"), ("GAUDI2", "Gaudi2"),
)  # fmt: skip


def accelerator_of(text: str) -> str:
    """The known data sheet that a vendor's or a benchmark's wording means, "" if none."""
    if text in accelerators():
        return text
    words = f" {re.sub('[^A-Z0-9]+', ' ', text.upper())} "
    return next((name for mark, name in _CHIPS if f" {mark} " in words), "")


def _framework(text: str) -> str:
    low = text.lower()
    marks = (("tensorrt", "trtllm"), ("sglang", "sglang"), ("vllm", "vllm"))
    return next((name for mark, name in marks if mark in low), low.split(" ")[0])


def _precision(row: Row) -> str:
    said = str(row.get("precision") or row.get("weight_precision") or "bf16").lower()
    return {"bfloat16": "bf16", "float16": "bf16", "fp16": "bf16", "nvfp4": "fp4"}.get(said, said)


def _placed(rows: Iterable[Row], place: str) -> Iterator[tuple[str, Row]]:
    for number, row in enumerate(rows, 1):
        yield f"{place}, row {number}", row


def _has(row: Row, noun: str) -> bool:
    return any(row.get(name) not in (None, "") for name in COLUMNS[noun])


def _text(row: Row, noun: str) -> str:
    return next((str(row[name]) for name in COLUMNS[noun] if row.get(name)), "")


def _name(row: Row, noun: str) -> str:
    return next(name for name in COLUMNS[noun] if row.get(name) not in (None, ""))


def _time(row: Row, noun: str, place: str) -> Seconds:
    value = _number(row, noun, place)
    return seconds_from_ms(value) if _name(row, noun).endswith("_ms") else value


def _number(row: Row, noun: str, place: str, absent: float | None = None) -> float:
    for name in COLUMNS[noun]:
        if row.get(name) not in (None, ""):
            return _plain(row, name, place)
    if absent is None:
        raise BenchError(f"{place}: one of the columns {', '.join(COLUMNS[noun])} is needed")
    return absent


def _plain(row: Row, name: str, place: str, absent: float | None = None) -> float:
    said = row.get(name)
    if said in (None, ""):
        if absent is None:
            raise BenchError(f"{place}: column {name} is empty")
        return absent
    try:
        value = float(said)
    except (TypeError, ValueError):
        raise BenchError(f"{place}: {name} {said!r} is no number") from None
    if not math.isfinite(value):
        raise BenchError(f"{place}: {name} is {said}")
    return value


def runs_of(rows: Sequence[RequestRow]) -> dict[str, list[RequestRow]]:
    """The rows of each run, in order."""
    found: dict[str, list[RequestRow]] = {}
    for row in rows:
        found.setdefault(row.run, []).append(row)
    return found
