"""Is each recording read, and a bad one refused with its place and without a traceback?"""

import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from flyball.cli import diagnose_sources as sources
from flyball.cli.diagnose_input import Told
from flyball.cli.diagnose_sources import Reading
from flyball.cli.file_shape import CannotUse
from flyball.dialects.telemetry.csvmap import MapFile
from flyball.model.decision import ConfigSet, LoopAction
from flyball.serve.log.store import LedgerStore
from support import records

T0 = 1_800_000_000
HOW = Reading(step_s=10.0)
MAP = """\
version: v1
pools: {fast: {pool: h100}}
signals: {loop.power.setpoint: 1.0, fast.queue: x.queue}
table:
  rows: signals
  columns: {time_s: t, plant.latency_s: {column: ms, scale: 0.001}}
"""


def quiet(text: str) -> None:
    del text


def span(i: int, pool: str = "h100", **more: object) -> dict[str, object]:
    said = {"gen_ai.usage.input_tokens": "5", "flyball.route.pool": pool, **more}
    begin = (T0 + i) * 10**9
    return {
        "spanId": f"{i:016x}",
        "name": "chat",
        "startTimeUnixNano": str(begin),
        "endTimeUnixNano": str(begin + 10**9),
        "attributes": [
            {"key": key, "value": {"stringValue": value}} for key, value in said.items()
        ],
    }


def otlp(path: Path, spans: Sequence[Mapping[str, object]]) -> Path:
    text = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]})
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def mapped(folder: Path, text: str = MAP) -> Reading:
    (folder / "map.yaml").write_text(text)
    return Reading(mapping=sources.load_map(str(folder / "map.yaml")))


@pytest.mark.parametrize("name", ["a.json", "a.json.gz"])
def test_spans_are_calls_of_the_pools_that_the_mapping_names(tmp_path: Path, name: str) -> None:
    path = otlp(tmp_path / name, [span(i) for i in range(50)])
    told = sources.spans(path, mapped(tmp_path), quiet)
    assert told.calls[0].pools == {"fast": 50}
    assert {lack.signal for lack in told.lacks} >= {"calls: attempt", "calls: context"}


def test_of_two_views_of_the_same_calls_one_counts(tmp_path: Path) -> None:
    engine = [span(i, **{"gen_ai.latency.time_in_queue": "0.1"}) for i in range(20)]
    path = otlp(tmp_path / "a.json", [*engine, *(span(i) for i in range(30))])
    assert sources.spans(path, HOW, quiet).calls[0].count == 30


def test_spans_without_a_call_are_told(tmp_path: Path) -> None:
    bare = {"startTimeUnixNano": str(T0 * 10**9), "name": "GET"}
    with pytest.raises(CannotUse, match="1 spans, none of them a call"):
        sources.spans(otlp(tmp_path / "a.json", [bare]), HOW, quiet)


def test_a_truncated_archive_is_told(tmp_path: Path) -> None:
    path = otlp(tmp_path / "a.json.gz", [span(i) for i in range(500)])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(CannotUse, match="cannot read"):
        sources.spans(path, HOW, quiet)


def test_a_folder_of_pages_takes_times_from_names(tmp_path: Path) -> None:
    for i in range(5):
        page = f"vllm:num_requests_waiting {i}\nvllm:num_requests_running 1\n"
        (tmp_path / f"{T0 + 10 * i}.prom").write_text(page)
    (table,) = sources.dump(tmp_path, HOW, quiet).tables
    assert table.column("all.queue").tolist() == [1.0, 2.0, 3.0, 4.0]
    (tmp_path / "notes.txt").write_text("x 1")
    with pytest.raises(CannotUse, match="no time in this page's name"):
        sources.dump(tmp_path, HOW, quiet)


def test_an_answer_of_the_api_is_a_dump_too(tmp_path: Path) -> None:
    metric = {"__name__": "vllm:kv_cache_usage_perc", "pool": "fast"}
    rows = [{"metric": metric, "values": [[T0 + 10 * i, "0.5"] for i in range(4)]}]
    page = {"status": "success", "data": {"resultType": "matrix", "result": rows}}
    (tmp_path / "a.json").write_text(json.dumps(page))
    (table,) = sources.dump(tmp_path / "a.json", HOW, quiet).tables
    assert np.nanmean(table.column("fast.kv_share")) == 0.5


def test_a_dump_without_a_known_metric_names_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "d").write_text(f"go_goroutines 3 {T0}000\n")
    with pytest.raises(CannotUse, match=r"no metric in it is known.*vLLM"):
        sources.dump(tmp_path / "d", HOW, quiet)
    with pytest.raises(CannotUse, match="does not answer"):
        sources.live("http://127.0.0.1:1", T0, T0 + 60, "", HOW, quiet)


def test_a_table_is_read_from_csv_and_parquet_alike(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    times, values = [T0 + 10.0 * i for i in range(6)], [1000.0 * i for i in range(6)]
    rows = "".join(f"{t},{v}\n" for t, v in zip(times, values, strict=True))
    (tmp_path / "a.csv").write_text("t,ms\n" + rows)
    pq.write_table(pa.table({"t": times, "ms": values}), tmp_path / "a.parquet")
    how = mapped(tmp_path)
    for name in ("a.csv", "a.parquet"):
        (table,) = sources.table(tmp_path / name, how, quiet).tables
        assert table.column("plant.latency_s").tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the file is empty"),
        ("t,other\n", "a.csv:1: there is no column 'ms'"),
        (f"t,ms\n{T0},1\n{T0 + 10}", "a.csv:3: 1 cells under 2 columns"),
        (f"t,ms\n{T0},1\n{T0 + 10},x\n", "a.csv:3: ms is 'x'"),
        (f"t,ms\n{T0},1\n{T0 + 10},2\n{T0 + 20},2\n{T0 + 60},2\n", "leaps by 40 s"),
    ],
)
def test_a_bad_table_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(CannotUse, match=words):
        sources.table(tmp_path / "a.csv", mapped(tmp_path), quiet)


def test_a_table_without_a_mapping_says_so(tmp_path: Path) -> None:
    with pytest.raises(CannotUse, match="give --map"):
        sources.table(tmp_path / "a.csv", HOW, quiet)
    (tmp_path / "a.parquet").write_bytes(b"no")
    with pytest.raises(CannotUse, match="no Parquet file"):
        sources.table(tmp_path / "a.parquet", mapped(tmp_path), quiet)


def test_a_bad_mapping_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(CannotUse, match=r"map.yaml:2:1: .*'pol'"):
        mapped(tmp_path, "version: v1\npol: {}\n")
    with pytest.raises(CannotUse, match=r"map.yaml:2:.*no pattern"):
        mapped(tmp_path, "version: v1\npools: {fast: {pool: '('}}\n")


def test_our_own_log_gives_calls_set_points_and_events(tmp_path: Path) -> None:
    store = LedgerStore(tmp_path / "ledger")
    written: list = []
    for i in range(20):
        intent = records.intent(i, at=T0 + 10.0 * i)
        written += [intent, records.outcome(intent)]
    written.append(records.intent(99, at=T0 + 1.0))
    written.append(
        LoopAction(
            id="a", at=T0 + 100.0, loop="power", actuator="pool.clock", scope="", old="1",
            new="0.9", reason="", mode="enforce",
        )
    )  # fmt: skip
    written.append(ConfigSet(id="c", at=T0 + 50.0, digest="d" * 64, in_force=True, reason=""))
    for record in written:
        store.append(record)
    store.close()
    told = sources.records(tmp_path / "ledger", HOW, quiet)
    assert told.calls[0].count == 20
    (table,) = told.tables
    values = table.column("loop.power.setpoint")
    assert np.isnan(values[0]) and values[-1] == 0.9 and table.events[0].kind == "config"
    with pytest.raises(CannotUse, match="no log"):
        sources.run(tmp_path, HOW, quiet)


def test_set_points_follow_from_pools_and_the_mapping_adds_constants(tmp_path: Path) -> None:
    path = otlp(tmp_path / "a.json", [span(i, "fast" if i % 4 else "slow") for i in range(80)])
    told = sources.spans(path, HOW, quiet)
    mapping = MapFile(version="v1", signals={"loop.power.setpoint": 1.0})
    whole = sources.whole(told, mapping)
    assert whole is not None and set(whole.column("loop.power.setpoint")) == {1.0}
    assert np.nanmean(whole.column("loop.router.setpoint")) == pytest.approx(0.75, abs=0.05)
    assert sources.whole(Told(), mapping) is None
