"""Where do operators see and change what the loops do, and who moves what they set?

Holds what exists once for all loops: the drivers' moves, what each loop wishes, and each loop's
mode as the governor has it. Operators' acts become events for the governor and the workers.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from flyball.governor.commands import Advise, Set
from flyball.governor.events import EndpointDraining, Event, HoldSet, LoopModeSet
from flyball.governor.loops.modes import LoopModes
from flyball.governor.loops.registry import PERIOD_LOOPS, REQUEST_LOOPS
from flyball.governor.period.respond import WHO
from flyball.model.decision import LoopAction
from flyball.serve.actuate.drivers import Command, Driver, EngineSleep, KubernetesScale, Webhook
from flyball.serve.actuate.moves import Key, Moves
from flyball.serve.config import Config
from flyball.serve.config.steering import ActuatorSection
from flyball.serve.process.operator import Act
from flyball.serve.telemetry.prometheus import Telemetry
from flyball.units import Seconds

ADVICE_MAX = 16_384


class Steering:
    """Make it on the running loop. `feed` takes events to the governor, `share` to the workers."""

    def __init__(
        self,
        config: Config,
        telemetry: Telemetry,
        feed: Callable[[Event], None],
        share: Callable[[Event], None],
        now: Callable[[], Seconds],
        note: Callable[[str], None],
    ) -> None:
        self._feed = feed
        self._share = share
        self._now = now
        self._note = note
        self._telemetry = telemetry
        self._names = known_loops(config)
        self._advice: dict[tuple[str, str, str], Advise] = {}
        self.modes = LoopModes(config.policy.loops, config.policy.mode)
        self._moves = self._made(config)

    def _made(self, config: Config) -> Moves:
        return Moves(drivers(config), config.fleet.endpoints, self._told, self._now, self._note)

    def start(self) -> None:
        """Ask the actuators where they stand."""
        self._moves.start()

    async def stop(self) -> None:
        """Moves under way are given up."""
        await self._moves.stop()

    async def adopt(self, config: Config) -> None:
        """A new configuration: its actuators, from now on."""
        old, self._moves = self._moves, self._made(config)
        self._names = known_loops(config)
        self.modes.adopt(config.policy.loops, config.policy.mode)
        self._advice.clear()
        await old.stop()
        self._moves.start()

    # What the governor wants.

    def set(self, command: Set) -> None:
        """Move an actuator."""
        self._moves.turn(command)

    def advise(self, advice: Advise) -> None:
        """Show what a loop wishes."""
        key = (advice.loop, advice.actuator, advice.scope)
        if key in self._advice or len(self._advice) < ADVICE_MAX:
            self._advice[key] = advice
            self._telemetry.wished(advice)

    def watch(self, action: LoopAction) -> None:
        """Keep each loop's fall-back as the governor told it."""
        if action.actuator == "loop.fallback":
            self.modes.fall_back(action.loop, action.reason if action.new == "standing" else "")

    def seen(self, endpoint: int) -> None:
        """An engine told its metrics."""
        self._moves.seen(endpoint)

    def _told(self, event: Event) -> None:
        self._feed(event)
        if isinstance(event, EndpointDraining):
            self._share(event)

    def held_by_diagnosis(self, before: dict[str, str], now: dict[str, str]) -> None:
        """Loop to code of the finding, last time and now. The governor has done it already; told
        again each time, so that a worker that was started since knows it too."""
        at = self._now()
        for name in sorted(before.keys() | now.keys()):
            hold = self.modes.hold_of(name, at)
            if hold is not None and hold.who != WHO:
                continue  # a person holds it: that stands, whatever is found
            if name in now:
                self.modes.hold(name, None, now[name], WHO)
            else:
                self.modes.release(name)
            self._share(HoldSet(at, name, name in now, None, WHO, now.get(name, "")))

    # What operators want.

    def act(self, act: Act) -> tuple[int, dict[str, Any]]:
        """Carry it out; (status, what to answer)."""
        if act.loop and act.loop not in self._names:
            known = ", ".join(sorted(self._names))
            return 404, {"error": f"there is no loop named {act.loop!r}; there are: {known}"}
        at = self._now()
        event: HoldSet | LoopModeSet
        if act.act == "mode":
            self.modes.set_by_operator(act.loop, act.mode)
            event = LoopModeSet(at, act.loop, act.mode, act.who, act.reason)
        elif act.act == "hold":
            until = None if act.for_s is None else at + act.for_s
            self.modes.hold(act.loop, until, act.reason, act.who)
            event = HoldSet(at, act.loop, True, until, act.who, act.reason)
        else:
            self.modes.release(act.loop)
            event = HoldSet(at, act.loop, False, None, act.who, act.reason)
        self._feed(event)
        self._share(event)
        return 200, self.page(at)

    def page(self, at: Seconds) -> dict[str, Any]:
        """Each loop's mode and why it does less, and every wish."""
        loops: list[dict[str, Any]] = []
        for name in sorted(self._names):
            hold = self.modes.hold_of(name, at)
            until = hold.until if hold is not None else None
            loops.append(
                {
                    "name": name,
                    "mode": self.modes.set_mode(name),
                    "acting": self.modes.effective(name, at),
                    "why": self.modes.why(name, at),
                    "held": hold is not None,
                    "held_for_s": None if until is None else until - at,
                }
            )
        wishes = [
            {**msgspec.to_builtins(one), "age_s": max(0.0, at - one.at)}
            for _, one in sorted(self._advice.items())
        ]
        return {"at": at, "loops": loops, "wishes": wishes}


def known_loops(config: Config) -> frozenset[str]:
    """Names that an operator may hold: every loop there is."""
    named = {one.name for one in config.policy.loops}
    return frozenset({"health", *REQUEST_LOOPS, *PERIOD_LOOPS, *named})


def drivers(config: Config) -> dict[Key, Driver]:
    """By (actuator, scope), as the fleet file says."""
    return {(one.actuator, one.scope): _driver(config, one) for one in config.actuators}


def _driver(config: Config, one: ActuatorSection) -> Driver:
    secret = config.actuator_secrets.get(f"{one.actuator} {one.scope}", "")
    if one.kind == "webhook":
        return Webhook(one.url, secret, one.ca, one.timeout_s)
    if one.kind == "kubernetes":
        return KubernetesScale(one.url, one.workload, one.token_file, one.ca, one.timeout_s)
    if one.kind == "command":
        return Command(one.words, one.scale, one.timeout_s)
    mine = [endpoint for endpoint in config.fleet.endpoints if endpoint.pool == one.scope]
    return EngineSleep(mine, config.credentials, one.timeout_s)
