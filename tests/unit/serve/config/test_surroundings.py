"""Are missing files, unfit certificates and unset secrets found, and is no secret shown?"""

import datetime as dt
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from flyball.serve.config.surroundings import Secrets
from support.configs import ENV, config, faults


def write_pair(folder: Path, name: str, password: bytes | None = None) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    cert = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    (folder / f"{name}.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    locked = serialization.BestAvailableEncryption(password) if password else None
    (folder / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            locked or serialization.NoEncryption(),
        )
    )


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pems")
    write_pair(folder, "a")
    write_pair(folder, "b")
    write_pair(folder, "locked", b"secret")
    (folder / "junk.pem").write_text("no certificate")
    return folder


def listen(cert: str, key: str) -> tuple[str, str]:
    return ("version: v1", f"version: v1\nlisten: {{tls: {{cert: {cert}, key: {key}}}}}")


def test_a_fit_pair_is_silent_and_its_paths_are_absolute(pems: Path) -> None:
    tls = config(listen("a.pem", "a.key"), folder=pems).tls
    assert tls is not None
    assert (tls.cert, tls.key) == (str(pems / "a.pem"), str(pems / "a.key"))


@pytest.mark.parametrize(
    ("cert", "key", "told"),
    [
        ("gone.pem", "a.key", "error listen.tls.cert"),
        ("a.pem", "gone.key", "No such file"),
        ("a.pem", "b.key", "can't be used"),
        ("junk.pem", "a.key", "can't be used"),
        ("locked.pem", "locked.key", "error listen.tls.key: the key is encrypted"),
    ],
)
def test_an_unfit_pair_is_told(pems: Path, cert: str, key: str, told: str) -> None:
    text = "\n".join(faults(listen(cert, key), folder=pems))
    assert told in text, text


def test_a_ca_is_checked_and_kept_by_endpoint(pems: Path) -> None:
    url = '"http://127.0.0.1:8101"'
    good = (url, '{url: "https://e", tls_ca: a.pem}')
    assert config(good, folder=pems).tls_ca == {"small-0": str(pems / "a.pem")}
    assert any(
        "no CA" in x for x in faults((url, '{url: "https://e", tls_ca: junk.pem}'), folder=pems)
    )
    assert any(
        "not https" in x for x in faults((url, '{url: "http://e", tls_ca: a.pem}'), folder=pems)
    )


def test_credentials_are_kept_by_endpoint_and_never_shown() -> None:
    found = config()
    assert dict(found.credentials) == {"big-0": "engine-secret"}
    assert "engine-secret" not in repr(found)
    assert "ann-secret" not in repr(found)
    assert repr(Secrets({"b": "x", "a": "y"})) == "Secrets(a, b)"


def test_an_unset_secret_is_an_error_or_a_warning() -> None:
    assert [line.split(" |")[0] for line in faults(env={"ANN_KEY": "x"})] == [
        "error pools.big.endpoints[0].api_key_env: the environment variable BIG_KEY is not set"
    ]
    found = config(env={}, is_lenient=True)
    assert [warning.severity for warning in found.warnings] == ["warning", "warning"]


def test_keys_become_digests() -> None:
    (ann,) = config().policy.principals
    assert ann.key_sha256 == sha256(b"ann-secret").hexdigest()
    upper = "AB" * 32
    (ann,) = config(("key_env: ANN_KEY", f"key_sha256: {upper}")).policy.principals
    assert ann.key_sha256 == upper.lower()


@pytest.mark.parametrize(
    ("new", "told"),
    [
        ("key: open-sesame", "warning principals.ann.key: the key stands here in the clear"),
        ("key: a, key_env: ANN_KEY", "gives key_env and key"),
        ("default_class: talk", "error principals.ann: has no key"),
        ("key: ann-secret}\n  bob: {key_env: ANN_KEY", "has the same key as 'ann'"),
    ],
)
def test_keys_are_given_once_and_not_in_the_clear(new: str, told: str) -> None:
    text = "\n".join(faults(("key_env: ANN_KEY", new)))
    assert told in text, text
    assert "open-sesame" not in text


def test_no_principals_is_a_warning() -> None:
    (line,) = faults(("principals:\n  ann: {key_env: ANN_KEY, classes: [talk]}\n", ""))
    assert line.startswith("warning principals: no principals are named")


def test_headers_of_the_collector_are_secrets() -> None:
    telemetry = "telemetry: {otlp_endpoint: 'http://c:4318', otlp_headers_env: H}"
    pair = ("version: v1", f"version: v1\n{telemetry}")
    found = config(pair, env={**ENV, "H": "a=b, authorization=Basic x="})
    assert dict(found.telemetry.otlp_headers) == {"a": "b", "authorization": "Basic x="}
    assert "Basic" not in repr(found)
    assert any("is not name=value" in line for line in faults(pair, env={**ENV, "H": "junk"}))
