"""Is what the fleet file says of bundles read, and each mistake told at its place?"""

from pathlib import Path

import pytest

from flyball.serve.config.bundles import is_registry
from support.bundles import SIGNERS, section
from support.configs import config, faults

END = "principals:"
PLACE = "oci://registry.example/acme/work:v1"


def test_what_is_said_and_what_is_not(tmp_path: Path) -> None:
    made = config((END, section("work.tar", tenant="acme") + END), folder=tmp_path)
    found = made.authority.bundles["workload"]
    assert found.source == str(tmp_path / "work.tar")
    assert (found.signers, found.signers_min, found.tenant) == (SIGNERS, 2, "acme")
    assert (found.log_trust, found.poll_s) == ("", 0.2)
    assert made.authority.bundle_folder == str(tmp_path / "bundles")


def test_a_source_alone_and_the_order_of_roles(tmp_path: Path) -> None:
    text = "authority: {bundles: {site: s.tar, workload: w.tar}}\n"
    found = config((END, text + END), folder=tmp_path).authority.bundles
    assert list(found) == ["workload", "site"]
    assert (found["site"].signers_min, found["site"].poll_s) == (0, 2.0)


def test_a_registry_is_no_file(tmp_path: Path) -> None:
    given = section(PLACE, poll_s=None)
    made = config((END, given + END), folder=tmp_path)
    found = made.authority.bundles["workload"]
    assert (found.source, found.poll_s) == (PLACE, 30.0)
    assert is_registry(PLACE) and is_registry("oci+http://h/a:1") and not is_registry("oci.tar")


def test_trust_in_a_log_is_read_now(tmp_path: Path) -> None:
    from support.signers import LOG

    text = f"log {LOG.key.text()}\nquorum none\n"
    (tmp_path / "trust").write_text(text)
    made = config((END, section("w.tar", log_trust="trust") + END), folder=tmp_path)
    assert made.authority.bundles["workload"].log_trust == text


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"source": "oci://host-alone"}, "no place in a registry"),
        ({"source": "oci://h/name"}, "no place in a registry"),
        ({"signers_min": 4}, "4 signatures cannot come of 3 keys"),
        ({"signers": SIGNERS | {"x": SIGNERS["bob"]}}, "one key is named twice"),
        ({"signers": {"weak": "ed25519:" + "A" * 43}, "signers_min": 1}, "small order"),
        ({"signers": {"odd": "alice"}}, "authority.bundles.workload"),
        ({"source": PLACE, "signers": {}}, "error authority.bundles.workload: nobody need"),
        ({"source": PLACE, "signers_min": 0}, "error authority.bundles.workload: nobody need"),
        ({"source": "w.tar", "signers": {}}, "warning authority.bundles.workload: nobody need"),
        ({"log_trust": "gone"}, "log_trust"),
        ({"sinners_min": 1}, "sinners_min"),
    ],
)
def test_each_mistake_is_told(tmp_path: Path, changes: dict, told: str) -> None:
    given = {"source": "w.tar"} | changes
    source = given.pop("source")
    found = faults((END, section(source, **given) + END), folder=tmp_path)
    assert any(told in one for one in found), found


def test_there_are_two_roles(tmp_path: Path) -> None:
    text = "authority: {bundles: {other: s.tar}}\n"
    assert faults((END, text + END), folder=tmp_path)
