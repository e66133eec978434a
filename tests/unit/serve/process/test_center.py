"""Does what exists once feed the core, share what workers need, and keep what is told to it?"""

import asyncio
from pathlib import Path

import msgspec

from flyball.governor.events import BoardReceived, Event, LedgerChanged, Sampled, Solved, Tick
from flyball.model.decision import ConfigSet, LoopAction
from flyball.model.prices import PriceBoard
from flyball.model.signals import EngineSample, PeerLoad
from flyball.pricing.problem import Problem
from flyball.serve.bundles.desk import Desk
from flyball.serve.config import Config
from flyball.serve.log.reader import open_log
from flyball.serve.process.center import Center
from flyball.serve.process.routes import page
from flyball.serve.relay.clock import Clock
from flyball.serve.telemetry.prometheus import Telemetry
from support.configs import config


class Scene:
    """A center on a folder, with all it told."""

    def __init__(self, folder: Path) -> None:
        found = config(folder=folder)
        file = folder / "fleet.yaml"
        file.write_text("")
        found = msgspec.structs.replace(
            found,
            source=str(file),
            policy=msgspec.structs.replace(found.policy, tick_s=0.02),
        )
        self.fed: list[Event] = []
        self.shared: list[Event] = []
        self.configs: list[Config] = []
        self.center = Center(
            found,
            clock=Clock(),
            telemetry=Telemetry(found, env={}),
            feed=self.fed.append,
            share=self.shared.append,
            loads=lambda: [
                PeerLoad(
                    endpoint=1, running=2, pending=1, pending_prefill_tokens=0.0, kv_tokens=0.0
                )
            ],
            on_config=self.configs.append,
            adjust=lambda config: config,
            desk=Desk(),
        )


def play(tmp_path: Path, seconds: float = 0.15) -> Scene:
    async def run() -> Scene:
        scene = Scene(tmp_path)
        center = scene.center
        center.start()
        center.solve(Problem(made_at=1.0, class_names=(), demand_per_s=(), pools=(), activities=()))
        center.publish(PriceBoard(version=3, made_at=1.0, valid_until=2.0))
        await asyncio.sleep(seconds)
        center._sampled(Sampled(5.0, 1, EngineSample(running=4)))
        center._sampled(Sampled(6.0, 1, None, "no answer"))
        center._ledger_changed(False, "no space")
        assert center.condition.ledger == ""
        assert await center.stop() == 0
        return scene

    return asyncio.run(run())


def test_events_are_fed_and_the_shared_ones_shared(tmp_path: Path, capfd) -> None:
    scene = play(tmp_path)
    kinds = [type(event) for event in scene.fed]
    assert 4 <= kinds.count(Tick) <= 8
    assert kinds.count(Solved) == 1 and LedgerChanged in kinds and Sampled in kinds
    shared = [type(event) for event in scene.shared if getattr(event, "endpoint", 1) == 1]
    assert shared[0] is BoardReceived and shared[-3:] == [Sampled, Sampled, LedgerChanged]
    assert "flyball: error ledger: no space" in capfd.readouterr().err


def test_a_failed_reading_keeps_the_last_good_one_with_its_age(tmp_path: Path) -> None:
    scene = play(tmp_path)
    reading = scene.center.readings[1]
    assert reading.sample == EngineSample(running=4)
    assert (reading.at, reading.error) == (5.0, "no answer")


def test_the_first_configuration_is_recorded(tmp_path: Path) -> None:
    scene = play(tmp_path)
    records = [entry.record for entry in open_log(tmp_path / "ledger").records()]
    assert [type(record) for record in records] == [ConfigSet]
    assert records[0].in_force and records[0].digest == scene.center.config.digest


def test_pages_show_board_fleet_work_and_circuits(tmp_path: Path) -> None:
    async def run() -> None:
        scene = Scene(tmp_path)
        center = scene.center
        center.start()
        center.publish(PriceBoard(version=3, made_at=1.0, valid_until=2.0))
        action = LoopAction(
            id="act-1", at=1.0, loop="health", actuator="endpoint.blocked", scope="big-0",
            old="false", new="true", reason="five failures", mode="enforce",
        )  # fmt: skip
        center.record_encoded([msgspec.json.encode(action)])
        await asyncio.sleep(0.1)
        loads = center._loads()
        status, _, text = page("/metrics", center, loads)
        assert status == 200
        assert b'flyball_endpoint_circuit_state{endpoint="big-0"} 2' in text
        assert b'flyball_endpoint_in_flight{endpoint="big-0",pool="big"} 3' in text
        assert b"flyball_board_version 3" in text
        assert msgspec.json.decode(page("/v1/flyball/prices", center, loads)[2])["valid"] is False
        fleet = msgspec.json.decode(page("/v1/flyball/fleet", center, loads)[2])
        assert fleet["endpoints"][1]["in_flight"]["running"] == 2
        assert page("/other", center, loads)[0] == 404
        await center.stop()

    asyncio.run(run())


def test_a_new_configuration_comes_into_force_and_a_bad_one_does_not(tmp_path: Path) -> None:
    async def run() -> None:
        scene = Scene(tmp_path)
        center = scene.center
        center.start()
        new = msgspec.structs.replace(center.config, digest="other", workers=9)
        center._adopt(new)
        assert center.config is new and scene.configs == [new]
        center._config_bad("line 3: no such thing")
        assert center.config is new
        await center.stop()

    asyncio.run(run())
    records = [entry.record for entry in open_log(tmp_path / "ledger").records()]
    assert [(r.in_force, r.reason) for r in records] == [
        (True, ""),
        (False, "line 3: no such thing"),
    ]
