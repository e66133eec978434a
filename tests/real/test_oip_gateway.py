"""Does a real MLServer work behind the gateway, deadlines of milliseconds kept or refused early?"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from real import env
from support import live, mlserver

DEADLINE = "x-flyball-deadline-ms"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    python = env.python_of("mlserver")
    if python is None:
        pytest.skip(env.how_to_make("mlserver"))
    folder = tmp_path_factory.mktemp("oip")
    (folder / "mlserver").mkdir()
    with mlserver.running(python, folder / "mlserver") as server, ExitStack() as stack:
        yield live.serve_file(stack, folder, fleet_file(server.url))


def fleet_file(url: str) -> str:
    """A near site with the real server, and a far one where nothing answers."""
    return (
        "version: v1\n"
        "sites:\n"
        "  near: {jurisdiction: EU, tier: edge, rtt_ms: 0.1}\n"
        "  far: {jurisdiction: US, tier: central, rtt_ms: 80}\n"
        "pools:\n"
        f"  near-cpu: {{site: near, engine: oip, profile: cpu/onnx-small, surfaces: [oip],\n"
        f"             models: [{mlserver.MODEL}], endpoints: [{{url: {url!r}}}]}}\n"
        "  far-cpu: {site: far, engine: oip, profile: cpu/onnx-small, surfaces: [oip],\n"
        f"            models: [{mlserver.MODEL}, elsewhere],\n"
        "            endpoints: ['http://127.0.0.1:9']}\n"
        "classes: {sense: {value_usd: 0.01, e2e_ms: 1000, output_tokens_mean: 1}}\n"
        "ledger: {folder: ledger}\n"
    )


def infer(
    url: str, model: str = mlserver.MODEL, deadline_ms: float = 0.0
) -> tuple[int, dict, dict]:
    tensor = {"name": "predict", "shape": [1, 4], "datatype": "FP32", "data": mlserver.SETOSA}
    headers = {"content-type": "application/json"}
    if deadline_ms:
        headers[DEADLINE] = str(deadline_ms)
    body = json.dumps({"inputs": [tensor]}).encode()
    request = urllib.request.Request(f"{url}/v2/models/{model}/infer", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer), dict(answer.headers)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error), dict(error.headers)


def test_an_inference_through_the_gateway(gateway: str) -> None:
    status, answer, headers = infer(gateway)
    assert status == 200
    assert answer["outputs"][0]["data"] == [0]
    assert headers["x-flyball-pool"] == "near-cpu"


def test_work_goes_where_the_deadline_can_be_kept(gateway: str) -> None:
    for _ in range(20):
        status, _, headers = infer(gateway, deadline_ms=200)
        assert (status, headers["x-flyball-pool"]) == (200, "near-cpu")


def test_a_deadline_that_physics_forbids_is_refused_at_once(gateway: str) -> None:
    begun = time.perf_counter()
    status, answer, headers = infer(gateway, model="elsewhere", deadline_ms=10)
    elapsed_s = time.perf_counter() - begun
    assert status == 429
    assert "deadline" in answer["error"] and "0.010 s" in answer["error"]
    assert float(headers["retry-after-ms"]) > 0
    assert elapsed_s < 0.08, "refused before the far site could even have answered"


def test_errors_of_the_server_reach_the_client_as_they_were(gateway: str) -> None:
    body = b'{"inputs": [{"name": "predict", "shape": [1, 9], "datatype": "FP32", "data": [1]}]}'
    request = urllib.request.Request(f"{gateway}/v2/models/{mlserver.MODEL}/infer", body)
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=20)
    assert caught.value.code == 422, "no content type: the server's own word for it"
    assert "detail" in json.loads(caught.value.read())


def test_models_and_health_pages(gateway: str) -> None:
    with urllib.request.urlopen(f"{gateway}/v2/health/ready", timeout=5) as answer:
        assert answer.status == 200
    with urllib.request.urlopen(f"{gateway}/v2/models/{mlserver.MODEL}/ready", timeout=5) as page:
        assert page.status == 200
