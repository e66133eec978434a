"""Is a file loaded whole or refused whole, and does its digest follow its meaning alone?"""

from pathlib import Path

import pytest

from flyball.serve.config import ConfigErrors, load
from flyball.serve.config.load import salvaged
from flyball.serve.config.text import parse
from support.configs import ENV, FLEET, changed, config


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.yaml"
    path.write_text(FLEET)
    return path


def test_a_file_is_loaded_with_paths_beside_it(file: Path) -> None:
    found = load(file, ENV)
    assert found.source == str(file)
    assert found.ledger.folder == str(file.parent / "ledger")
    assert (found.listen.port, found.workers, found.tls) == (8080, 1, None)
    assert found.scrape.interval_s == pytest.approx(0.1)
    assert found.telemetry.otlp_endpoint == ""
    assert found.limits.head_bytes_max == 32 * 1024


def test_the_environment_overrides(file: Path) -> None:
    found = load(file, {**ENV, "FLYBALL__LISTEN__PORT": "9001"})
    assert found.listen.port == 9001
    with pytest.raises(ConfigErrors) as errors:
        load(file, {**ENV, "FLYBALL__LISTEN__PORT": "high"})
    assert errors.value.errors[0].place == "FLYBALL__LISTEN__PORT"


def test_the_digest_follows_the_meaning(file: Path) -> None:
    digest = config().digest
    assert config(("version: v1", "# words\nversion:   'v1'")).digest == digest
    assert config(("version: v1", "version: v1\nmode: enforce")).digest == digest
    assert config(("ttft_ms: 900", "ttft_ms: 901")).digest != digest
    swapped = "  bulk: {sheddable: true}\n  talk: {ttft_ms: 900}\n"
    order = ("  talk: {ttft_ms: 900}\n  bulk: {sheddable: true}\n", swapped)
    assert config(order).digest != digest
    assert config(env={**ENV, "ANN_KEY": "another"}).digest != digest


def test_what_is_unreadable_is_the_caller_s(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nothing"):
        load(tmp_path / "nothing.yaml", {})
    with pytest.raises(OSError, match="directory"):
        load(tmp_path, {})


def test_bytes_that_are_no_text_have_a_place(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"version: v1\nx: \xff\n")
    with pytest.raises(ConfigErrors) as errors:
        load(path, {})
    assert errors.value.errors[0].place == f"{path}:2:4"


def test_a_byte_order_mark_is_nothing(file: Path) -> None:
    file.write_bytes(b"\xef\xbb\xbf" + FLEET.encode())
    assert load(file, ENV).digest


def test_faulty_sections_are_left_out_and_the_rest_kept() -> None:
    kept = salvaged(parse(changed(("rtt_ms: 2}", "rtt_ms: x}")), "f").data)
    assert set(kept.sites) == {"far"}
    assert set(kept.pools) == {"small", "big"}


def test_a_list_is_no_fleet(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text("- a\n")
    with pytest.raises(ConfigErrors, match="expected a mapping, found a list"):
        load(path, {})
