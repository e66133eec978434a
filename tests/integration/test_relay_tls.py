"""Does TLS work on both sides, and is a certificate that cannot be trusted refused?"""

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flyball.governor.events import AttemptFailed, ClientGone
from flyball.serve.relay.sinks import Entrances
from support.relay import (
    ANSWER,
    ANSWER_BODY,
    SSE_HEAD,
    STREAM_BODY,
    Engine,
    bench,
    chunk,
    post,
)


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """A self-signed certificate for that host: (certificate file, key file)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / f"{host}.pem", folder / f"{host}.key"
    cert_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_file, key_file


def contexts(folder: Path, host: str = "localhost") -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """(for the server, for a client that trusts it)."""
    cert, key = certificate(folder, host)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(cert, key)
    return server, ssl.create_default_context(cafile=cert)


async def stream(engine: Engine, reader, writer) -> None:
    request = await engine.read(reader)
    if b'"stream":true' not in request:
        writer.write(ANSWER)
    else:
        writer.write(SSE_HEAD)
        for _ in range(20):
            writer.write(chunk(b"data: a\n\n"))
            await asyncio.sleep(0.001)
        writer.write(b"0\r\n\r\n")
    await writer.drain()
    await stream(engine, reader, writer)


def test_both_sides_speak_tls(tmp_path: Path) -> None:
    async def run() -> None:
        server, client_side = contexts(tmp_path)
        entrances = Entrances(access={}, tls={"e0": client_side})
        async with bench(stream, engine_tls=server, tls=server, entrances=entrances) as made:
            client = await made.client(client_side)
            for _ in range(3):
                await client.send(post())
                assert (await client.answer())[2] == ANSWER_BODY
            await client.send(post(STREAM_BODY))
            assert (await client.answer())[2] == b"data: a\n\n" * 20
            assert made.engines[0].connections == 1
            await client.send(b"GET / HTTP/1.1\nHost: a\r\n\r\n")
            status, fields, _ = await client.answer()
            assert (status, fields["connection"]) == (400, "close")
            assert await client.rest() == b""

    asyncio.run(run())


def test_a_tls_client_that_leaves_is_noticed(tmp_path: Path) -> None:
    async def serve(engine: Engine, reader, writer) -> None:
        await engine.read(reader)
        await reader.read(1)

    async def run() -> None:
        server, client_side = contexts(tmp_path)
        async with bench(serve, tls=server) as made:
            client = await made.client(client_side)
            await client.send(post())
            await asyncio.sleep(0.05)
            client.close()
            await asyncio.wait_for(made.engines[0].closed.wait(), 2)
            assert len(made.core.seen(ClientGone)) == 1

    asyncio.run(run())


@pytest.mark.parametrize("trusted", [False, True])
def test_an_engine_that_cannot_be_trusted_gets_nothing(tmp_path: Path, trusted: bool) -> None:
    async def run() -> None:
        server, client_side = contexts(tmp_path, "elsewhere")
        tls = {"e0": client_side} if trusted else {}
        entrances = Entrances(access={}, tls=tls)
        async with bench(stream, engine_tls=server, entrances=entrances) as made:
            assert (await made.ask(post()))[0] == 502
            (failed,) = made.core.seen(AttemptFailed)
            assert isinstance(failed, AttemptFailed)
            assert failed.cause == "tls" and not made.engines[0].requests

    asyncio.run(run())
