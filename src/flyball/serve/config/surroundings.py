"""Are the files and secrets there that the fleet file names? (Certificates, keys, environment.)"""

import ssl
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path as FilePath

from flyball.serve.config.model import FleetFile, PrincipalSection
from flyball.serve.config.references import endpoint_name, endpoint_section, is_url
from flyball.serve.config.text import Document, Path


class Secrets(Mapping[str, str]):
    """Secrets by name (of an endpoint, of a header field). Its repr tells names only."""

    __slots__ = ("_by_name",)

    def __init__(self, by_name: Mapping[str, str]) -> None:
        self._by_name = dict(by_name)

    def __getitem__(self, name: str) -> str:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def __repr__(self) -> str:
        return f"Secrets({', '.join(sorted(self._by_name))})"


def check_tls(file: FleetFile, document: Document, folder: FilePath) -> None:
    """Note certificates, keys and CAs that can't be read or don't fit each other."""
    if tls := file.listen.tls:
        cert, key = folder / tls.cert, folder / tls.key
        at: Path = ("listen", "tls")
        both = [
            _is_readable(document, (*at, "cert"), cert),
            _is_readable(document, (*at, "key"), key),
        ]
        if all(both):
            _check_pair(document, at, cert, key)
    for pool_name, pool in file.pools.items():
        for i, entry in enumerate(pool.endpoints):
            section = endpoint_section(entry)
            if section.tls_ca is None:
                continue
            path: Path = ("pools", pool_name, "endpoints", i, "tls_ca")
            if not section.url.startswith("https:"):
                document.fault(
                    path, "the URL is not https", "Use https, or delete tls_ca.", severity="warning"
                )
            if _is_readable(document, path, folder / section.tls_ca):
                _check_ca(document, path, folder / section.tls_ca)


def _is_readable(document: Document, path: Path, file: FilePath) -> bool:
    try:
        with file.open("rb") as stream:
            stream.read(1)
    except OSError as error:
        document.fault(
            path,
            f"{file} can't be read: {error.strerror}",
            "Give the path of a readable PEM file; paths are relative to the fleet file.",
        )
        return False
    return True


def _check_pair(document: Document, path: Path, cert: FilePath, key: FilePath) -> None:
    def refuse_password() -> str:
        raise ValueError("the key is encrypted")

    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key, password=refuse_password)
    except ValueError:
        document.fault(
            (*path, "key"), "the key is encrypted", "Decrypt it: openssl pkey -in KEY -out PLAIN."
        )
    except ssl.SSLError as error:
        document.fault(
            (*path, "cert"),
            f"certificate and key can't be used: {error.reason or error}",
            "Give a PEM chain, leaf first, and the key of that leaf.",
        )


def _check_ca(document: Document, path: Path, file: FilePath) -> None:
    try:
        ssl.create_default_context(cafile=str(file))
    except ssl.SSLError as error:
        document.fault(
            path, f"holds no CA certificate: {error.reason or error}", "Give a PEM certificate."
        )


def read_credentials(
    file: FleetFile, document: Document, env: Mapping[str, str], *, is_lenient: bool = False
) -> Secrets:
    """The engines' API keys out of the environment; an unset variable is a fault (or a warning)."""
    found: dict[str, str] = {}
    for pool_name, pool in file.pools.items():
        for i, entry in enumerate(pool.endpoints):
            variable = endpoint_section(entry).api_key_env
            path: Path = ("pools", pool_name, "endpoints", i, "api_key_env")
            if variable is None:
                continue
            if secret := _variable(document, path, variable, env, is_lenient):
                found[endpoint_name(pool_name, i, entry)] = secret
    return Secrets(found)


def read_headers(
    file: FleetFile, document: Document, env: Mapping[str, str], *, is_lenient: bool = False
) -> Secrets:
    """The collector's headers (`name=value,…`) out of the environment; empty if none are named."""
    path: Path = ("telemetry", "otlp_headers_env")
    if file.telemetry.otlp_endpoint is not None:
        is_url(document, ("telemetry", "otlp_endpoint"), file.telemetry.otlp_endpoint)
    variable = file.telemetry.otlp_headers_env
    if variable is None:
        return Secrets({})
    text = _variable(document, path, variable, env, is_lenient)
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not name.strip() or not mark for name, mark, _ in pairs):
        document.fault(path, f"{variable} is not name=value,name=value", "Correct the variable.")
        return Secrets({})
    return Secrets({name.strip(): value.strip() for name, _, value in pairs})


def read_keys(
    file: FleetFile, document: Document, env: Mapping[str, str], *, is_lenient: bool = False
) -> dict[str, str]:
    """SHA-256 (lower-case hex) of each principal's API key, by principal."""
    digests: dict[str, str] = {}
    owners: dict[str, str] = {}
    if not document.data.get("principals"):
        document.fault(
            ("principals",),
            "no principals are named, so anyone who reaches the port may use the fleet",
            "Add principals with key_sha256 (fine as it is for trials on one machine).",
            severity="warning",
        )
    for name, party in file.principals.items():
        path: Path = ("principals", name)
        digest = _key_digest(document, path, party, env, is_lenient)
        if not digest:
            continue
        if digest in owners:
            document.fault(
                path, f"has the same key as {owners[digest]!r}", "Give each principal its own key."
            )
        owners.setdefault(digest, name)
        digests[name] = digest
    return digests


def read_operators(
    file: FleetFile, document: Document, env: Mapping[str, str], *, is_lenient: bool = False
) -> tuple[Secrets, str | None]:
    """Secrets of actuators by "ACTUATOR SCOPE", and the SHA-256 of the operators' key ("" = none is
    asked for, None = nobody may)."""
    secrets: dict[str, str] = {}
    for i, one in enumerate(file.actuators):
        if one.secret_env is not None:
            path: Path = ("actuators", i, "secret_env")
            if secret := _variable(document, path, one.secret_env, env, is_lenient):
                secrets[f"{one.actuator} {one.scope}"] = secret
    variable = file.admin.key_env
    if variable is not None:
        key = _variable(document, ("admin", "key_env"), variable, env, is_lenient)
        return Secrets(secrets), sha256(key.encode()).hexdigest() if key else None
    is_alone = file.listen.host in ("127.0.0.1", "::1", "localhost") and not file.principals
    return Secrets(secrets), "" if is_alone else None


def _key_digest(
    document: Document,
    path: Path,
    party: PrincipalSection,
    env: Mapping[str, str],
    is_lenient: bool,
) -> str:
    given = [key for key in ("key_sha256", "key_env", "key") if getattr(party, key) is not None]
    if len(given) != 1:
        document.fault(
            path,
            f"gives {' and '.join(given)}" if given else "has no key",
            "Give exactly one of key_sha256, key_env, key.",
        )
        return ""
    if party.key_sha256 is not None:
        return party.key_sha256.lower()
    if party.key_env is not None:
        key = _variable(document, (*path, "key_env"), party.key_env, env, is_lenient)
        return sha256(key.encode()).hexdigest() if key else ""
    digest = sha256((party.key or "").encode()).hexdigest()
    document.fault(
        (*path, "key"),
        "the key stands here in the clear",
        f"Write key_sha256: {digest} instead.",
        severity="warning",
    )
    return digest


def _variable(
    document: Document, path: Path, name: str, env: Mapping[str, str], is_lenient: bool
) -> str:
    value = env.get(name, "")
    if not value:
        document.fault(
            path,
            f"the environment variable {name} is not set",
            f"Set {name} to the secret before starting.",
            severity="warning" if is_lenient else "error",
        )
    return value
