"""On which event loop do these tests run? On both that the gateway runs on."""

import asyncio
from collections.abc import Iterator

import pytest
import uvloop


@pytest.fixture(autouse=True, params=["asyncio", "uvloop"])
def event_loop_kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """Makes `asyncio.run` use that loop."""
    policy = uvloop.EventLoopPolicy() if request.param == "uvloop" else None
    asyncio.set_event_loop_policy(policy)
    yield request.param
    asyncio.set_event_loop_policy(None)
