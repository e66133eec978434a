"""Which kinds of actuator can be driven, and what does each do with a set-point?

`webhook`     POST a JSON object with loop, actuator, scope, value and targets to a URL
`kubernetes`  PATCH the scale subresource of a Deployment or StatefulSet (autoscaling/v1 Scale)
`sleep`       vLLM's POST /sleep?level=1 and /wake_up at endpoints (its dev mode must be on)
`command`     run a program with the value among its words, no shell: `nvidia-smi -lgc 0,{clock}`

A driver answers where the actuator stands then, or raises `ActuatorFault`. Names of scopes come
from the fleet file, never from a client.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct

from flyball.governor.commands import Set
from flyball.model.fleet import Endpoint
from flyball.serve.actuate.fault import ActuatorFault
from flyball.serve.actuate.web import SAID_CHARS_MAX, call
from flyball.units import Seconds

SLEEP_LEVEL = 1


class Driver(Protocol):
    """Moves one actuator at one scope."""

    async def drive(self, command: Set) -> float:
        """Bring it there; where it stands. Raises ActuatorFault."""
        ...

    async def read(self) -> float | None:
        """Where it stands now; None if that cannot be asked. Raises ActuatorFault."""
        ...


class Webhook:
    """Tells a URL; 2xx = done."""

    def __init__(self, url: str, secret: str, authority: str, timeout_s: Seconds) -> None:
        self._url = url
        self._fields = {"content-type": "application/json"} | _bearer(secret)
        self._authority = authority
        self._timeout_s = timeout_s

    async def drive(self, command: Set) -> float:
        """An answer that is an object with a number under `value` says where it really stands."""
        body = msgspec.json.encode(
            {
                "loop": command.loop,
                "actuator": command.actuator,
                "scope": command.scope,
                "value": command.value,
                "targets": command.targets,
            }
        )
        said = await call(
            "POST",
            self._url,
            body=body,
            fields=self._fields,
            authority=self._authority,
            timeout_s=self._timeout_s,
        )
        try:
            return msgspec.json.decode(said, type=_Standing).value
        except msgspec.DecodeError:
            return command.value

    async def read(self) -> float | None:
        """Not asked: a webhook is told."""
        return None


class _Standing(Struct):
    value: float


class _ScaleSpec(Struct):
    replicas: int = 0


class _Scale(Struct):
    spec: _ScaleSpec


class KubernetesScale:
    """The scale subresource of one workload; `token` is read anew for each call, as it rotates."""

    def __init__(
        self, url: str, workload: str, token_file: str, authority: str, timeout_s: Seconds
    ) -> None:
        """`workload` = NAMESPACE/deployments/NAME or NAMESPACE/statefulsets/NAME."""
        namespace, kind, name = workload.split("/")
        base = url.rstrip("/")
        self._url = f"{base}/apis/apps/v1/namespaces/{namespace}/{kind}/{name}/scale"
        self._token_file = token_file
        self._authority = authority
        self._timeout_s = timeout_s

    async def drive(self, command: Set) -> float:
        """Merge-patch spec.replicas."""
        body = msgspec.json.encode({"spec": {"replicas": round(command.value)}})
        return await self._ask("PATCH", body)

    async def read(self) -> float | None:
        """spec.replicas as it is."""
        return await self._ask("GET", b"")

    async def _ask(self, method: str, body: bytes) -> float:
        token = ""
        if self._token_file:
            try:
                token = (await asyncio.to_thread(Path(self._token_file).read_text)).strip()
            except OSError as error:
                raise ActuatorFault(f"{self._token_file}: {error.strerror or error}") from None
        fields = {"content-type": "application/merge-patch+json"} | _bearer(token)
        said = await call(
            method,
            self._url,
            body=body,
            fields=fields,
            authority=self._authority,
            timeout_s=self._timeout_s,
        )
        try:
            return float(msgspec.json.decode(said, type=_Scale).spec.replicas)
        except msgspec.DecodeError as error:
            raise ActuatorFault(f"{self._url}: the answer is no Scale: {error}", True) from None


class EngineSleep:
    """Some of a pool's engines sleep. Those that go to sleep are the command's targets; those that
    wake are the first that sleep, in the pool's order."""

    def __init__(
        self, endpoints: Sequence[Endpoint], keys: Mapping[str, str], timeout_s: Seconds
    ) -> None:
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._keys = keys
        self._timeout_s = timeout_s
        self._asleep: dict[str, None] = {}

    async def drive(self, command: Set) -> float:
        """One engine after the other, so that a fault leaves the rest as they were."""
        wanted = round(command.value)
        for name in command.targets:
            if len(self._endpoints) - len(self._asleep) <= wanted:
                break
            if name in self._endpoints and name not in self._asleep:
                await self._tell(name, f"/sleep?level={SLEEP_LEVEL}")
                self._asleep[name] = None
        for name in list(self._asleep):
            if len(self._endpoints) - len(self._asleep) >= wanted:
                break
            await self._tell(name, "/wake_up")
            del self._asleep[name]
        return float(len(self._endpoints) - len(self._asleep))

    async def read(self) -> float | None:
        """All are taken to be awake at the start."""
        return None

    async def _tell(self, name: str, path: str) -> None:
        fields = _bearer(self._keys.get(name, ""))
        url = self._endpoints[name].url + path
        await call("POST", url, fields=fields, timeout_s=self._timeout_s)


class Command:
    """A program of this machine. `{value}`, `{scope}` and `{scaled}` stand in its words; `scaled` =
    value x scale, rounded (a clock ratio of 0.8 at 1,980 MHz is 1584)."""

    def __init__(self, words: Sequence[str], scale: float, timeout_s: Seconds) -> None:
        self._words = tuple(words)
        self._scale = scale
        self._timeout_s = timeout_s

    async def drive(self, command: Set) -> float:
        """Exit code 0 = done."""
        given = {
            "{value}": f"{command.value:g}",
            "{scope}": command.scope,
            "{scaled}": str(round(command.value * self._scale)),
        }
        words = [_filled(word, given) for word in self._words]
        try:
            process = await asyncio.create_subprocess_exec(
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
            )
        except OSError as error:
            raise ActuatorFault(f"{words[0]}: {error.strerror or error}", True) from None
        try:
            _, said = await asyncio.wait_for(process.communicate(), self._timeout_s)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise ActuatorFault(f"{words[0]} did not end within {self._timeout_s:g} s") from None
        if process.returncode:
            text = said[:SAID_CHARS_MAX].decode("utf-8", "replace").strip()
            raise ActuatorFault(f"{words[0]} ended with {process.returncode}: {text}")
        return command.value

    async def read(self) -> float | None:
        """Not asked."""
        return None


def _filled(word: str, given: Mapping[str, str]) -> str:
    for mark, text in given.items():
        word = word.replace(mark, text)
    return word


def _bearer(secret: str) -> dict[str, str]:
    return {"authorization": f"Bearer {secret}"} if secret else {}


Find = Callable[[str, str], Driver | None]
