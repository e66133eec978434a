"""Does each driver say the right words to what it drives, and where that stands then?"""

import asyncio
import json
from pathlib import Path

import pytest

from flyball.governor.commands import Set
from flyball.model.fleet import Endpoint
from flyball.serve.actuate.drivers import Command, EngineSleep, KubernetesScale, Webhook
from flyball.serve.actuate.fault import ActuatorFault
from support.listener import Heard, listening


def move(value: float, *targets: str, actuator: str = "pool.replicas") -> Set:
    return Set("autoscaling", actuator, "chat", value, targets)


def test_a_webhook_is_told_all_and_may_say_where_it_really_stands() -> None:
    answers = [b'{"value": 3}', b"ok"]
    with listening(lambda heard: (200, answers.pop(0))) as server:
        hook = Webhook(server.url + "/x", "s3cret", "", 5.0)
        assert asyncio.run(hook.drive(move(4.0, "chat-1"))) == 3.0
        assert asyncio.run(hook.drive(move(4.0))) == 4.0
        assert asyncio.run(hook.read()) is None
    first = server.heard[0]
    assert (first.method, first.path) == ("POST", "/x")
    assert first.fields["authorization"] == "Bearer s3cret"
    assert json.loads(first.body) == {
        "loop": "autoscaling",
        "actuator": "pool.replicas",
        "scope": "chat",
        "value": 4.0,
        "targets": ["chat-1"],
    }


def test_kubernetes_is_asked_by_the_scale_subresource(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one\n")
    scale = {"kind": "Scale", "metadata": {}, "spec": {"replicas": 2}, "status": {"replicas": 1}}

    def answer(heard: Heard) -> tuple[int, bytes]:
        if heard.method == "PATCH":
            scale["spec"] = json.loads(heard.body)["spec"]
        return 200, json.dumps(scale).encode()

    with listening(answer) as server:
        driver = KubernetesScale(server.url + "/", "prod/deployments/vllm", str(token), "", 5.0)
        assert asyncio.run(driver.read()) == 2.0
        token.write_text("two")
        assert asyncio.run(driver.drive(move(5.0))) == 5.0
    read, patch = server.heard
    assert read.path == "/apis/apps/v1/namespaces/prod/deployments/vllm/scale" == patch.path
    assert (read.method, patch.method) == ("GET", "PATCH")
    assert patch.fields["content-type"] == "application/merge-patch+json"
    assert [one.fields["authorization"] for one in server.heard] == ["Bearer one", "Bearer two"]


def test_what_is_no_scale_is_a_final_fault_and_so_is_no_token(tmp_path: Path) -> None:
    with listening(lambda heard: (200, b"[]")) as server:
        driver = KubernetesScale(server.url, "a/statefulsets/b", "", "", 5.0)
        with pytest.raises(ActuatorFault, match="no Scale") as told:
            asyncio.run(driver.read())
        assert told.value.is_final
        missing = KubernetesScale(server.url, "a/statefulsets/b", str(tmp_path / "no"), "", 5.0)
        with pytest.raises(ActuatorFault, match="No such file"):
            asyncio.run(missing.read())


def test_engines_sleep_by_name_and_wake_in_order() -> None:
    with listening(lambda heard: (200, b"")) as server:
        pool = [Endpoint(name=f"chat-{n}", pool="chat", url=f"{server.url}/{n}") for n in range(3)]
        driver = EngineSleep(pool, {"chat-2": "k"}, 5.0)

        async def play() -> list[float]:
            return [
                await driver.drive(move(1.0, "chat-2", "chat-0")),
                await driver.drive(move(1.0, "chat-1")),
                await driver.drive(move(2.0)),
            ]

        assert asyncio.run(play()) == [1.0, 1.0, 2.0]
    assert [one.path for one in server.heard] == [
        "/2/sleep?level=1",
        "/0/sleep?level=1",
        "/2/wake_up",
    ]
    assert server.heard[0].fields["authorization"] == "Bearer k"


def test_an_engine_that_refuses_leaves_the_rest_as_they_were() -> None:
    with listening(lambda heard: (500 if heard.path.startswith("/1") else 200, b"")) as server:
        pool = [Endpoint(name=f"chat-{n}", pool="chat", url=f"{server.url}/{n}") for n in range(3)]
        driver = EngineSleep(pool, {}, 5.0)

        async def play() -> float:
            with pytest.raises(ActuatorFault):
                await driver.drive(move(0.0, "chat-0", "chat-1", "chat-2"))
            return await driver.drive(move(3.0))

        assert asyncio.run(play()) == 3.0
    assert [one.path for one in server.heard][-1] == "/0/wake_up"


def test_a_program_gets_the_value_among_its_words_and_no_shell(tmp_path: Path) -> None:
    out = tmp_path / "out"
    script = "import sys; open(sys.argv[1], 'w').write(' '.join(sys.argv[2:]))"
    words = ("python3", "-c", script, str(out), "{scope}", "0,{scaled}", "{value}", "$HOME;x")
    driver = Command(words, 1980.0, 10.0)
    assert asyncio.run(driver.drive(move(0.8, actuator="pool.clock"))) == 0.8
    assert out.read_text() == "chat 0,1584 0.8 $HOME;x"


@pytest.mark.parametrize(
    ("words", "text", "is_final"),
    [
        (("no-such-program-here",), "No such file", True),
        (("python3", "-c", "import sys; sys.exit('no device')"), "no device", False),
        (("sleep", "30"), "did not end within", False),
    ],
)
def test_a_program_that_fails_says_why(words: tuple[str, ...], text: str, is_final: bool) -> None:
    with pytest.raises(ActuatorFault, match=text) as told:
        asyncio.run(Command(words, 1.0, 1.0).drive(move(1.0)))
    assert told.value.is_final == is_final
