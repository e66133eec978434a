"""Are trace files opened plain, packed and cut short, with faults that name the line?"""

import gzip
from pathlib import Path

import pytest

from flyball.dialects.traces import scale
from flyball.dialects.traces.row import Tally, TraceError
from flyball.serve.load import tracefile

HEADER = b"arrival_s,input_tokens,output_tokens\n"
BODY = HEADER + b"".join(b"%d,10,5\n" % i for i in range(20_000))


def _read(path: Path) -> int:
    return sum(1 for _ in tracefile.rows(path, "auto", Tally()))


def test_plain_and_gzip(tmp_path: Path) -> None:
    plain, packed = tmp_path / "t.csv", tmp_path / "t.csv.gz"
    plain.write_bytes(BODY)
    packed.write_bytes(gzip.compress(BODY))
    assert _read(plain) == _read(packed) == 20_000
    assert tracefile.detect(packed) == "table"


def test_truncated_and_damaged_gzip(tmp_path: Path) -> None:
    whole = gzip.compress(BODY)
    cut, bad = tmp_path / "cut.gz", tmp_path / "bad.gz"
    cut.write_bytes(whole[: len(whole) // 2])
    bad.write_bytes(whole[:-8] + b"\x00" * 8)  # the checksum and the length
    for path in (cut, bad):
        with pytest.raises(TraceError, match=path.name + r":\d+: the gzip file is cut short"):
            _read(path)


def test_not_there_a_folder_zstd_and_empty(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="cannot be read"):
        _read(tmp_path / "absent")
    with pytest.raises(TraceError, match="cannot be read"):
        _read(tmp_path)
    (tmp_path / "z").write_bytes(b"\x28\xb5\x2f\xfdrest")
    with pytest.raises(TraceError, match="zstd -d"):
        _read(tmp_path / "z")
    (tmp_path / "e").write_bytes(b"")
    with pytest.raises(TraceError, match="e: the file is empty"):
        _read(tmp_path / "e")


def test_parquet_reads_as_its_csv_does(tmp_path: Path) -> None:
    csv, parquet = pytest.importorskip("pyarrow.csv"), pytest.importorskip("pyarrow.parquet")
    plain, packed = tmp_path / "t.csv", tmp_path / "t.parquet"
    plain.write_bytes(BODY)
    parquet.write_table(csv.read_csv(plain), packed)
    plainly, unpacked = (list(tracefile.rows(path, "auto", Tally())) for path in (plain, packed))
    assert unpacked == plainly


def test_damaged_parquet_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "t.parquet").write_bytes(b"PAR1 and then nothing of the kind")
    with pytest.raises(TraceError, match=r"t\.parquet: the Parquet file is damaged or nested"):
        _read(tmp_path / "t.parquet")


def test_real_coding_sessions(real_data: Path) -> None:
    pytest.importorskip("pyarrow")
    path = real_data / "agentic_claude_code" / "requests.parquet"
    known = scale.extent(scale.head(tracefile.rows(path, "auto", Tally()), 5000))
    assert known.rows == 5000
    assert known.input_tokens / known.rows > 50_000


def test_parquet_without_pyarrow_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1....")
    monkeypatch.setattr(tracefile, "find_spec", lambda name: None)
    with pytest.raises(TraceError, match=r"pip install 'flyball\[parquet\]'"):
        _read(tmp_path / "t.parquet")
