"""Are Open Inference Protocol calls read, renamed, answered and refused in the protocol's words?"""

import json

import pytest

from flyball.dialects import oip
from flyball.dialects.envelope import RefusedError

INFER = json.dumps(
    {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1.0, 2.0]}]}
).encode()
LENGTH = b"inference-header-content-length"


@pytest.mark.parametrize(
    ("target", "model"),
    [
        (b"/v2/models/m/infer", "m"),
        (b"/v2/models/m/versions/3/infer?x=/y", "m"),
        (b"/v2/models/a%2Fb%20c/infer", "a/b c"),
        (b"/v2/models/m", "m"),
    ],
)
def test_the_model_is_in_the_path(target: bytes, model: str) -> None:
    assert oip.read_model(target) == model


@pytest.mark.parametrize("name", [b"%ff", b"", b"%00", b"x" * 300])
def test_a_bad_name_is_refused(name: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        oip.read_model(b"/v2/models/" + name + b"/infer")
    assert caught.value.refusal.param == "model"


def test_tensors_are_sized_and_hashed() -> None:
    size, digest = oip.read_tensors([], INFER)
    assert size == len(INFER)
    assert digest != oip.read_tensors([], INFER.replace(b"2.0", b"3.0"))[1]


def test_binary_tensors_after_the_json_are_not_parsed() -> None:
    body = INFER + bytes(range(256))
    size, _ = oip.read_tensors([(LENGTH, b"%d" % len(INFER))], body)
    assert size == len(body)
    with pytest.raises(RefusedError) as caught:
        oip.read_tensors([], body)
    assert caught.value.refusal.code == "bad_json"


@pytest.mark.parametrize("value", [b"-1", b"99999", b"x", b"9" * 50])
def test_a_bad_length_of_the_json_is_refused(value: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        oip.read_tensors([(LENGTH, value)], INFER)
    assert caught.value.refusal.param == LENGTH.decode()


@pytest.mark.parametrize("body", [b"{}", b'{"inputs": 3}', b'{"inputs": null}'])
def test_inputs_must_be_an_array(body: bytes) -> None:
    with pytest.raises(RefusedError) as caught:
        oip.read_tensors([], body)
    assert caught.value.refusal.param == "inputs"


def test_the_path_takes_another_model() -> None:
    renamed = oip.rewrite_target(b"/v2/models/a%2Fb/versions/1/infer?q=1", "org/m x")
    assert renamed == b"/v2/models/org%2Fm%20x/versions/1/infer?q=1"
    assert oip.read_model(renamed) == "org/m x"
    assert oip.rewrite_target(b"/v1/chat/completions", "m") == b"/v1/chat/completions"


@pytest.mark.parametrize(
    ("path", "ready", "status"),
    [
        (b"/v2", False, 200),
        (b"/v2/health/live", False, 200),
        (b"/v2/health/ready", True, 200),
        (b"/v2/health/ready", False, 503),
        (b"/v2/models/m/ready", True, 200),
        (b"/v2/models/m/ready", False, 503),
        (b"/v2/models/other/ready", True, 404),
        (b"/v2/models/%ff/ready", True, 400),
    ],
)
def test_health_and_readiness(path: bytes, ready: bool, status: int) -> None:
    answered, body = oip.answer(path, {"m": 0}, ready)
    assert answered == status
    assert isinstance(json.loads(body), dict)
