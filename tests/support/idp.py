"""What does an OpenID provider with device codes answer (RFC 8414, 8628; signed by RS256)?"""

import asyncio
import json
import threading
import time
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

KEY = rsa.generate_private_key(65537, 2048)
CLIENT = "flyball"


class IdentityProvider:
    """A provider on a port of its own. `answers` = what the token door says, one after another."""

    def __init__(self) -> None:
        self.answers: list[Any] = ["authorization_pending", "ok"]
        self.claims: dict[str, Any] = {}
        self.page: dict[str, Any] = {}
        self.asked: list[dict[str, str]] = []
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._start())
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(self._runner.cleanup())

    async def _start(self) -> None:
        app = web.Application()
        app.add_routes(
            [
                web.get("/.well-known/openid-configuration", self._discovery),
                web.get("/keys", self._keys), web.post("/device", self._device),
                web.post("/token", self._token),
                web.get("/text", self._text),
            ]
        )  # fmt: skip
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.issuer = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def _discovery(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys",
                "token_endpoint": f"{self.issuer}/token",
                "device_authorization_endpoint": f"{self.issuer}/device",
            } | self.page
        )  # fmt: skip

    async def _text(self, request: web.Request) -> web.Response:
        return web.Response(text="no json")

    async def _keys(self, request: web.Request) -> web.Response:
        jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
        return web.json_response({"keys": [jwk | {"kid": "k1", "use": "sig", "alg": "RS256"}]})

    async def _device(self, request: web.Request) -> web.Response:
        self.asked.append(dict(await request.post()))
        if self.asked[-1].get("client_id") != CLIENT:
            return web.json_response({"error": "invalid_client"}, status=401)
        return web.json_response(
            {
                "device_code": "dc-1", "user_code": "WDJB-MJHT", "interval": 0, "expires_in": 60,
                "verification_uri": f"{self.issuer}/activate",
            }
        )  # fmt: skip

    async def _token(self, request: web.Request) -> web.Response:
        self.asked.append(dict(await request.post()))
        answer = self.answers.pop(0) if self.answers else "expired_token"
        if answer != "ok":
            return web.json_response({"error": answer}, status=400)
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": CLIENT, "sub": "anna", "iat": now, "exp": now + 300,
            "sid": "s-9", "amr": ["hwk"],
        } | self.claims  # fmt: skip
        return web.json_response(
            {"id_token": jwt.encode(claims, KEY, "RS256", headers={"kid": "k1"})}
        )

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()
