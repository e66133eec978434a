"""Does a real MLServer agree with how Open Inference Protocol calls are read, renamed and measured?

Set FLYBALL_OIP_URL to send the calls through a gateway in front of some MLServer that serves
`iris`; otherwise one is started here and asked directly.
"""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from flyball.dialects import surface
from flyball.dialects.engines import ENGINES, read_metrics
from flyball.model.request import RequestHead
from real import env
from support import mlserver


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mlserver.Server]:
    url = os.environ.get("FLYBALL_OIP_URL")
    if url:
        yield mlserver.Server(url, "")
        return
    python = env.python_of("mlserver")
    if python is None:
        pytest.skip(env.how_to_make("mlserver"))
    with mlserver.running(python, tmp_path_factory.mktemp("mlserver")) as started:
        yield started


def call(url: str, body: bytes | None = None) -> tuple[int, bytes]:
    headers = {"content-type": "application/json"}
    key = os.environ.get("FLYBALL_OIP_KEY")
    if key:
        headers["authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def infer_body(*rows: list[float]) -> bytes:
    data = [number for row in rows for number in row]
    tensor = {"name": "predict", "shape": [len(rows), 4], "datatype": "FP32", "data": data}
    return json.dumps({"id": "call-1", "inputs": [tensor]}).encode()


@pytest.mark.parametrize("version", ["", "/versions/v1"])
def test_an_inference_that_we_read_is_one_that_it_answers(
    server: mlserver.Server, version: str
) -> None:
    target = f"/v2/models/{mlserver.MODEL}{version}/infer"
    body = infer_body(mlserver.SETOSA, mlserver.VIRGINICA)
    head = surface.read_head(b"POST", target.encode(), [], body)
    assert isinstance(head, RequestHead)
    assert (head.operation, head.model, head.prompt_bytes) == ("infer", "iris", len(body))
    status, answer = call(server.url + target, body)
    assert status == 200, answer
    told = json.loads(answer)
    assert (told["model_name"], told["id"]) == ("iris", "call-1")
    assert told["outputs"][0]["data"] == [0, 2]


def test_a_renamed_target_reaches_the_model(server: mlserver.Server) -> None:
    target = surface.rewrite_target(b"/v2/models/alias/infer", mlserver.MODEL).decode()
    status, answer = call(server.url + target, infer_body(mlserver.SETOSA))
    assert (status, json.loads(answer)["outputs"][0]["data"]) == (200, [0])


@pytest.mark.parametrize(
    "target", ["/v2/health/live", "/v2/health/ready", f"/v2/models/{mlserver.MODEL}/ready"]
)
def test_it_answers_where_we_answer(server: mlserver.Server, target: str) -> None:
    assert call(server.url + target)[0] == 200
    assert surface.answer(target.encode(), {mlserver.MODEL: 0}, True)[0] == 200


def test_metadata_are_the_engines_own(server: mlserver.Server) -> None:
    target = f"/v2/models/{mlserver.MODEL}"
    assert surface.route(b"GET", target.encode()) == "infer"
    status, answer = call(server.url + target)
    assert (status, json.loads(answer)["name"]) == (200, "iris")


def test_its_refusals_have_the_shape_of_ours(server: mlserver.Server) -> None:
    status, answer = call(f"{server.url}/v2/models/nobody/infer", infer_body(mlserver.SETOSA))
    ours = surface.answer(b"/v2/models/nobody/ready", {}, True)
    assert status == ours[0] == 404
    assert "nobody" in json.loads(answer)["error"]
    assert "nobody" in json.loads(ours[2])["error"]


def test_its_metrics_page_is_read(server: mlserver.Server) -> None:
    if not server.metrics_url:
        pytest.skip("the calls go through a gateway, which does not show the engine's metrics")
    assert server.metrics_url.endswith(ENGINES["oip"].metrics_path)
    call(f"{server.url}/v2/models/{mlserver.MODEL}/infer", infer_body(mlserver.SETOSA))
    status, page = call(server.metrics_url)
    assert status == 200
    sample = read_metrics("oip", page)
    assert sample.running == 0
    assert sample.waiting is None
