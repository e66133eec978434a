"""Which policies is `flyball verify` to ask again: bundles, or Cedar texts?"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from flyball.cli.file_shape import CannotUse
from flyball.cli.policy_input import read_policies

if TYPE_CHECKING:
    from flyball.authority.policy.policies import PolicySet
    from flyball.governor.authority import Library


def read_library(paths: Sequence[Path]) -> "Library":
    """All of them by digest; whose bundles they are is not asked, as the log names their digests.

    Raises CannotUse.
    """
    sets = [_read(path) for path in paths]
    from flyball.authority.policy.cedar import CedarLibrary

    return CedarLibrary({one.digest: one for one in sets})


def _read(path: Path) -> "PolicySet":
    try:
        from flyball.authority.policy.policies import PolicyErrors
    except ModuleNotFoundError as error:
        step = "install it with pip install 'flyball[governance]'"
        raise CannotUse(f"policies need the package {error.name}: {step}") from None
    try:
        if path.is_dir() or path.suffix == ".cedar":
            return read_policies((path,))
        return _bundled(path)
    except PolicyErrors as errors:
        raise CannotUse(f"{path}: {errors.faults[0]}") from None


def _bundled(path: Path) -> "PolicySet":
    from flyball.authority.bundles.archive import ENTITIES, POLICIES, BundleError
    from flyball.authority.bundles.bundle import decode
    from flyball.authority.policy.policies import load

    try:
        bundle = decode(path.read_bytes())
        texts = {POLICIES: bundle.text(POLICIES)}
        return load(texts, bundle.text(ENTITIES), digest=bundle.digest)
    except BundleError as error:
        raise CannotUse(f"{path} is no bundle: {error}") from None
    except OSError as error:
        raise CannotUse(f"cannot read {path}: {error.strerror}") from None
