"""How does a process come to judge by the policies and keys that its configuration names?"""

from functools import lru_cache, partial
from typing import TYPE_CHECKING

from flyball.governor.authority import Authority, Library, NoBundles
from flyball.governor.events import BundleOrigin, BundlesSet
from flyball.serve.config import Config
from flyball.serve.config.authority import PolicyTexts
from flyball.serve.process.proofs import ProofTable
from flyball.serve.relay.tokens import TokenDesk
from flyball.units import Seconds

if TYPE_CHECKING:
    from flyball.authority.policies import PolicySet

BY_FILE = "fleet file"
PARSED_MAX = 16


def in_force(config: Config, at: Seconds) -> BundlesSet:
    """The event that puts the configuration's sets of policies in force, in the file's order."""
    named = config.authority.policies
    digests = tuple(one.digest for one in named)
    origins = tuple(BundleOrigin(one.role or one.name, one.version, one.signers) for one in named)
    return BundlesSet(at, digests, BY_FILE, origins)


def library(config: Config) -> Library:
    """The sets of policies of that configuration (they were checked when it was read)."""
    if not config.authority.policies:
        return NoBundles()
    from flyball.authority.cedar import CedarLibrary

    return CedarLibrary({one.digest: _parsed(one) for one in _whole(config)})


def prepare(config: Config) -> None:
    """Parse its sets of policies beforehand, in any thread: a thousand take most of a second, in
    which no request would move."""
    for one in _whole(config):
        _parsed(one)


def _whole(config: Config) -> list[PolicyTexts]:
    """Those that are not void."""
    return [one for one in config.authority.policies if one.texts]


def _parsed(one: PolicyTexts) -> "PolicySet":
    return _load(one.digest, tuple(one.texts.items()), one.entities)


@lru_cache(PARSED_MAX)
def _load(digest: str, texts: tuple[tuple[str, str], ...], entities: str) -> "PolicySet":
    from flyball.authority.policies import load

    return load(dict(texts), entities, digest=digest)


class Shelf:
    """The library of this process, whichever configuration is in force."""

    def __init__(self, config: Config) -> None:
        self._library = library(config)

    def replace(self, config: Config) -> None:
        """A new configuration comes into force: its sets are at hand from now on."""
        self._library = library(config)

    def authority(self, digests: tuple[str, ...]) -> Authority | None:
        """Those sets together; None if one of them is not at hand."""
        return self._library.authority(digests)


def token_desk(config: Config, proofs: ProofTable) -> TokenDesk | None:
    """Where tokens are turned into mandates; None = no root's key is named, so none is believed.

    `proofs` = those that any worker of this gateway was shown.
    """
    settings = config.authority
    if not settings.roots:
        return None
    from flyball.authority.holder import holder_of
    from flyball.authority.refusals import MandateError
    from flyball.authority.signer import read_key
    from flyball.authority.tokens import Verifier

    verifier = Verifier(
        {int(number): read_key(key) for number, key in settings.roots.items()},
        {name: read_key(key) for name, key in settings.approvers.items()},
        settings.jurisdictions,
    )
    scheme = "https://" if config.tls else "http://"
    return TokenDesk(
        verifier,
        partial(holder_of, seen=proofs),
        public_url=settings.public_url or scheme,
        refusals=MandateError,
    )
