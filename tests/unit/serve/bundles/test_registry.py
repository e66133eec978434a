"""Do bundles get into registries and back whole, and is a registry that lies found out?"""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyball.authority.bundles.archive import BUNDLE_BYTES_MAX, MEDIA_TYPE, BundleError
from flyball.serve.bundles import registry
from flyball.serve.bundles.registry import newest, pull, push
from support.bundles import bundle
from support.registry import Registry, digest_of, registry_server

DATA = bundle().encode()


@pytest.fixture
def ours() -> Iterator[Registry]:
    with registry_server() as found:
        yield found


def refused(act, *given: object) -> str:
    with pytest.raises(BundleError) as caught:
        act(*given)
    return caught.value.code


def test_what_is_pushed_is_pulled(ours: Registry) -> None:
    place = ours.place("acme/policies/work:v1")
    digest = push(place, DATA)
    assert pull(place) == DATA
    assert newest(place) == digest
    assert pull(ours.place("acme/policies/work@" + digest)) == DATA
    manifest = json.loads(ours.manifests["v1"])
    assert manifest["artifactType"] == MEDIA_TYPE
    assert [layer["mediaType"] for layer in manifest["layers"]] == [MEDIA_TYPE]
    assert ours.blobs[manifest["layers"][0]["digest"]] == DATA


def test_pushing_again_is_the_same_artifact(ours: Registry) -> None:
    assert push(ours.place("a:1"), DATA) == push(ours.place("a:2"), DATA)
    assert push(ours.place("a:1"), bundle(version=2).encode()) != newest(ours.place("a:2"))


def test_what_is_not_there_is_told(ours: Registry) -> None:
    assert refused(pull, ours.place("a:1")) == "no_bundle"
    push(ours.place("a:1"), DATA)
    ours.blobs.clear()
    assert refused(pull, ours.place("a:1")) == "no_bundle"


def test_another_kind_of_artifact_is_no_bundle(ours: Registry) -> None:
    for manifest in (b"{}", b"[]", b"nonsense", b'{"layers": [{"mediaType": "text/plain"}]}'):
        ours.manifests["1"] = manifest
        assert refused(pull, ours.place("a:1")) == "no_bundle"


def test_other_bytes_than_were_named_are_found(ours: Registry) -> None:
    digest = push(ours.place("a:1"), DATA)
    ours.lie = lambda path, data: data[:-1] + b"x" if "/blobs/" in path else data
    assert refused(pull, ours.place("a:1")) == "digest"
    ours.lie = lambda path, data: data + b" " if "/manifests/" in path else data
    assert refused(pull, ours.place("a@" + digest)) == "digest"


def test_more_than_was_said_is_not_read(ours: Registry) -> None:
    push(ours.place("a:1"), DATA)
    ours.lie = lambda path, data: data * 9 if "/blobs/" in path else data
    assert refused(pull, ours.place("a:1")) == "oversized"
    ours.lie = lambda path, data: b" " * (1 << 20) + data
    assert refused(pull, ours.place("a:1")) == "oversized"
    layer = {"mediaType": MEDIA_TYPE, "digest": digest_of(b""), "size": BUNDLE_BYTES_MAX + 1}
    ours.lie = lambda path, data: json.dumps({"layers": [layer]}).encode()
    assert refused(pull, ours.place("a:1")) == "oversized"


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_a_registry_that_refuses_is_asked_once(ours: Registry, status: int) -> None:
    push(ours.place("a:1"), DATA)
    ours.status = status
    begun = time.monotonic()
    assert refused(pull, ours.place("a:1")) == "unreachable"
    assert refused(push, ours.place("a:1"), DATA) == "unreachable"
    assert time.monotonic() - begun < 8  # its client would wait for minutes by itself


def test_nobody_at_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        assert refused(pull, f"oci+http://127.0.0.1:{port}/a:1") == "unreachable"
        silent.listen(1)  # takes the connection and says nothing
        monkeypatch.setattr(registry, "TIMEOUT_S", 0.2)
        assert refused(pull, f"oci+http://127.0.0.1:{port}/a:1") == "unreachable"


def test_a_place_that_is_none() -> None:
    assert refused(pull, "work.tar") == "no_bundle"


@pytest.mark.skipif(
    shutil.which("docker-registry") is None, reason="the program docker-registry is not installed"
)
def test_a_registry_of_others(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = tmp_path / "registry.yml"
    settings.write_text(
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: '{tmp_path / 'data'}'}}}}\n"
        f"http: {{addr: '127.0.0.1:{port}'}}\nlog: {{level: error}}\n"
    )
    program = subprocess.Popen(
        ["docker-registry", "serve", str(settings)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        place = f"oci+http://127.0.0.1:{port}/acme/work:1"
        for _ in range(100):
            try:
                digest = push(place, DATA)
                break
            except BundleError:
                time.sleep(0.1)
        assert pull(place) == DATA and newest(place) == digest
        assert pull(place.replace(":1", "@" + digest)) == DATA
    finally:
        program.terminate()
        program.wait(10)
