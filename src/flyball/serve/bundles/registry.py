"""How does a bundle get into an OCI registry, and back out of it?

An artifact of one layer (OCI image-spec 1.1, "Guidelines for Artifact Usage") over the OCI
distribution API, by way of oras; credentials are those of `docker login`. Whatever a registry
answers is held against the digest that was asked for, and read up to a bound.
"""

import json
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from flyball.authority.bundles.archive import BUNDLE_BYTES_MAX, MEDIA_TYPE, BundleError
from flyball.units import Bytes, Seconds

if TYPE_CHECKING:
    from oras.container import Container
    from oras.provider import Registry
    from requests import Response

TIMEOUT_S: Seconds = 10.0
MANIFEST_BYTES_MAX: Bytes = 64 << 10
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
_EMPTY = b"{}"
_SOURCE = re.compile(r"oci(\+http)?://(.+)")


class _Spot(Struct):
    client: "Registry"
    container: "Container"

    def url(self, path: str) -> str:
        return f"{self.client.prefix}://{path}"


def push(source: str, data: bytes) -> str:
    """Put a bundle's bytes there; the artifact's own digest. BundleError if it cannot be done."""
    with _registry(source) as spot:
        for blob in (_EMPTY, data):
            _upload(spot, blob)
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "artifactType": MEDIA_TYPE,
                "config": _described(_EMPTY, OCI_EMPTY),
                "layers": [_described(data, MEDIA_TYPE)],
            },
            separators=(",", ":"),
        ).encode()
        _checked(
            spot.client.do_request(
                spot.url(spot.container.manifest_url()),
                "PUT",
                data=manifest,
                headers={"Content-Type": OCI_MANIFEST},
            ),
            "put the manifest",
        )
    return _digest(manifest)


def pull(source: str) -> bytes:
    """The bundle's bytes that stand there. BundleError if there are none, or others than said."""
    with _registry(source) as spot:
        manifest = _manifest(spot)
        try:
            found = json.loads(manifest)
            layers = [one for one in found["layers"] if one["mediaType"] == MEDIA_TYPE]
            digest, size = str(layers[0]["digest"]), int(layers[0]["size"])
        except (ValueError, KeyError, TypeError, IndexError, RecursionError):
            raise BundleError("no_bundle", f"what is at {source} is no policy bundle") from None
        if size > BUNDLE_BYTES_MAX:
            raise BundleError("oversized", f"it is larger than {BUNDLE_BYTES_MAX} bytes")
        data = _read(spot.client.get_blob(spot.container, digest, stream=True), size, "get it")
        if _digest(data) != digest:
            raise BundleError("digest", f"the registry sent other bytes than {digest[:23]}")
    return data


def newest(source: str) -> str:
    """The digest of what stands there now, without reading it whole."""
    with _registry(source) as spot:
        return _digest(_manifest(spot))


def _manifest(spot: _Spot) -> bytes:
    answer = spot.client.do_request(
        spot.url(spot.container.manifest_url()), headers={"Accept": OCI_MANIFEST}, stream=True
    )
    data = _read(answer, MANIFEST_BYTES_MAX, "get the manifest")
    asked = spot.container.digest
    if asked and _digest(data) != asked:
        raise BundleError("digest", f"the registry sent another manifest than {asked[:23]}")
    return data


def _upload(spot: _Spot, blob: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:  # oras takes files
        file.write(blob)
        file.flush()
        layer = {"digest": _digest(blob), "size": len(blob)}
        _checked(spot.client.upload_blob(file.name, spot.container, layer), "put it")


def _read(answer: "Response", size_max: Bytes, act: str) -> bytes:
    with answer:
        _checked(answer, act)
        data = b""
        for chunk in answer.iter_content(1 << 16):
            data += chunk
            if len(data) > size_max:
                raise BundleError("oversized", "the registry sends more than it said")
    return data


def _checked(answer: "Response", act: str) -> None:
    if answer.status_code == 404:
        raise BundleError("no_bundle", "the registry has nothing of that name", "Push it first.")
    if answer.status_code not in (200, 201, 202):
        raise _unreachable(f"it would not {act}: HTTP {answer.status_code}")


@contextmanager
def _registry(source: str) -> Iterator[_Spot]:
    """A client that asks once: whoever calls tries again in their own time."""
    found = _SOURCE.fullmatch(source)
    if found is None:
        raise BundleError(
            "no_bundle", f"{source!r} is no place in a registry", "oci://HOST/NAME:TAG"
        )
    try:
        from oras.container import Container
        from oras.provider import Registry
        from requests import RequestException
    except ModuleNotFoundError:
        step = "pip install 'flyball[governance]'"
        raise BundleError("unreachable", "oras is not installed", step) from None
    once: Any = Registry.do_request
    client = Registry(insecure=bool(found[1]))
    client.do_request = partial(once.__wrapped__, client)  # else it sleeps for minutes
    session: Any = client.session
    session.request = partial(session.request, timeout=TIMEOUT_S)
    try:
        container = Container(found[2])
        client.auth.load_configs(container)
        yield _Spot(client, container)
    except BundleError:
        raise
    except (RequestException, OSError) as error:
        raise _unreachable(f"it does not answer ({type(error).__name__})") from None
    except Exception as error:  # oras raises plain ValueErrors and its own
        raise _unreachable(f"{type(error).__name__}: {error}"[:300]) from None
    finally:
        client.session.close()


def _unreachable(why: str) -> BundleError:
    return BundleError("unreachable", f"the registry: {why}", "Is it up, and `docker login` done?")


def _described(data: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": _digest(data), "size": len(data)}


def _digest(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"
