"""What does the bundle stand at now that a source names, and has it changed?"""

from pathlib import Path

from flyball.authority.bundles.archive import BUNDLE_BYTES_MAX, BundleError
from flyball.serve.bundles import registry
from flyball.serve.config.bundles import is_registry
from flyball.serve.process.reload import stamp


def fetch(source: str) -> bytes:
    """The bytes at a file or in a registry. Raises BundleError if they cannot be had."""
    if is_registry(source):
        return registry.pull(source)
    try:
        with Path(source).open("rb") as stream:
            return stream.read(BUNDLE_BYTES_MAX + 1)
    except OSError as error:
        step = "Name a bundle's file, or oci://HOST/NAME:TAG."
        raise BundleError("unreachable", f"{source}: {error.strerror or error}", step) from None


def mark(source: str) -> object:
    """What differs once something else stands there; None = nobody can say now."""
    if not is_registry(source):
        return stamp(Path(source))
    try:
        return registry.newest(source)
    except BundleError:
        return None
