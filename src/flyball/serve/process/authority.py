"""How does a process come to judge by the policies and keys that its configuration names?"""

from functools import lru_cache, partial

from flyball.governor.authority import Authority, Library, NoBundles
from flyball.governor.events import BundleOrigin, BundlesSet
from flyball.serve.config import Config
from flyball.serve.process.proofs import ProofTable
from flyball.serve.relay.tokens import TokenDesk
from flyball.units import Seconds

BY_FILE = "fleet file"
LIBRARIES_MAX = 4


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
    return _library(
        tuple(
            (one.digest, tuple(one.texts.items()), one.entities)
            for one in config.authority.policies
            if one.texts  # else it is void
        )
    )


def prepare(config: Config) -> None:
    """Parse its sets of policies beforehand, in any thread: a thousand take most of a second, in
    which no request would move."""
    library(config).authority(tuple(one.digest for one in config.authority.policies))


@lru_cache(LIBRARIES_MAX)
def _library(sets: tuple[tuple[str, tuple[tuple[str, str], ...], str], ...]) -> Library:
    from flyball.authority.policy.cedar import CedarLibrary
    from flyball.authority.policy.policies import load

    return CedarLibrary(
        {digest: load(dict(texts), entities, digest=digest) for digest, texts, entities in sets}
    )


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
    from flyball.authority.mandates.holder import holder_of
    from flyball.authority.mandates.refusals import MandateError
    from flyball.authority.mandates.tokens import Verifier
    from flyball.authority.revocation.signer import read_key

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
