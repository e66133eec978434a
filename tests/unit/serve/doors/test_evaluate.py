"""Do foreign enforcement points get decisions at the standard's own addresses, with a key alone?"""

import asyncio
import json
from hashlib import sha256
from pathlib import Path

from flyball.model.acts import AdminCall
from flyball.serve.config.oversight import EvaluatorSection
from flyball.serve.doors.door import Door
from flyball.serve.doors.evaluate import MANY, METADATA, ONE
from support.oversight import Around, plain, section

KEY = sha256(b"sesame").hexdigest()
ASK = {
    "subject": {"type": "agent", "id": "a"},
    "action": {"name": "infer"},
    "resource": {"type": "pool", "id": "p"},
}


def test_decisions_for_those_with_a_key(tmp_path: Path) -> None:
    async def run() -> None:
        around = Around()
        given = section(tmp_path, evaluators={"envoy": EvaluatorSection(key_sha256=KEY)})
        door = Door(given, around.all)
        door.start()
        url = f"http://127.0.0.1:{door.port}"
        body, key = json.dumps(ASK).encode(), "Bearer sesame"
        status, told = await plain(url, "POST", ONE, body, authorization=key, x_request_id="r1")
        assert (status, told["decision"]) == (200, True)
        many = json.dumps({**ASK, "evaluations": [{}, {"action": {"name": "x"}}]}).encode()
        status, told = await plain(url, "POST", MANY, many, authorization=key)
        assert [one["decision"] for one in told["evaluations"]] == [True, False]
        assert (await plain(url, "POST", ONE, b"{}", authorization=key))[0] == 400
        assert (await plain(url, "POST", ONE, body))[0] == 401
        status, told = await plain(url, "GET", METADATA)
        assert told["access_evaluations_endpoint"] == url + MANY
        await door.stop()
        calls = [one for one in around.records if isinstance(one, AdminCall)]
        assert [(one.by, one.status) for one in calls] == [
            ("envoy", 200), ("envoy", 200), ("envoy", 400), ("", 401),
        ]  # fmt: skip

    asyncio.run(run())
