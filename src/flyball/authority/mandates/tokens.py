"""What does a token allow, if it is genuine?

Three readings must agree. The library checks every signature; the blocks' statements are read and
met (`blocks`), so that each can only narrow; then the token's own Datalog judges that meet: all of
it must pass every check of every block. Who the human is counts only from the authority block, and
an approval only from a block signed by a key that is trusted for it (scoped queries).
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from msgspec import structs

from flyball.authority.mandates.blocks import SETS, Block, Jurisdictions, Limits, Maker, meet, read
from flyball.authority.mandates.refusals import MandateError
from flyball.authority.mandates.thumbprint import ed25519_jwk, p256_jwk, thumbprint
from flyball.authority.mandates.wire import (
    ED25519,
    Frame,
    OldBlockError,
    PublicKey,
    WeakKeyError,
    WireError,
    parse,
)  # fmt: skip
from flyball.authority.revocation.signer import KeyTextError, base64url, read_base64url
from flyball.model.mandate import Approval, Mandate, Spend
from flyball.units import Seconds

if TYPE_CHECKING:
    from biscuit_auth import Authorizer, Biscuit

PREFIX = "sk-fly-"
BLOCKS_MAX = 8
TEXT_CHARS_MAX = 4_096
CACHE_MAX = 65_536
CLOCK_SKEW_S: Seconds = 2.0  # beyond that a clock is unhealthy, not merely off
# Datalog's own limits but for the time: 1 ms of wall clock refuses valid tokens on a busy machine.
# Statements are bounded by their forms and the token's size, so that no token can use this up.
CHECK_TIME = timedelta(milliseconds=50)
CHECK_TRIES = 3
_LIMIT_REACHED = "Reached Datalog execution limits"


def text_of(data: bytes) -> str:
    """A token as clients send it. MandateError if it is too long for its place in a header."""
    text = PREFIX + base64url(data)
    if len(text) > TEXT_CHARS_MAX:
        raise MandateError(
            "mandate_oversized",
            f"the mandate would have {len(text)} characters, {TEXT_CHARS_MAX} are allowed: "
            "narrow fewer things, or ask for one granted with fewer hops",
        )
    return text


def bytes_of(text: str) -> bytes:
    """The token's bytes. Raises MandateError for any second spelling of it."""
    if len(text) > TEXT_CHARS_MAX:
        raise MandateError(
            "mandate_oversized", f"a mandate has at most {TEXT_CHARS_MAX} characters"
        )
    if not text.startswith(PREFIX):
        raise MandateError("mandate_malformed", f"a mandate begins with {PREFIX}")
    try:
        return read_base64url(text[len(PREFIX) :])
    except (KeyTextError, UnicodeError):
        raise MandateError("mandate_malformed", "the mandate is not base64url") from None


def frame_of(data: bytes) -> Frame:
    """The token's parts, signatures unchecked. Raises MandateError."""
    try:
        frame = parse(data)
    except OldBlockError as error:
        raise MandateError("mandate_old_block", f"{error}: have it approved again") from None
    except WeakKeyError as error:
        raise MandateError("mandate_weak_key", str(error)) from None
    except WireError as error:
        raise MandateError("mandate_malformed", str(error)) from None
    if len(frame.blocks) > BLOCKS_MAX:
        raise MandateError("mandate_oversized", f"a mandate has at most {BLOCKS_MAX} blocks")
    return frame


def holder_name(key: PublicKey) -> str:
    """The thumbprint of a key in a token, by which holders are known. Raises MandateError."""
    try:
        is_ed25519 = key.algorithm == ED25519
        return thumbprint(ed25519_jwk(key.data) if is_ed25519 else p256_jwk(key.data))
    except KeyTextError as error:
        raise MandateError("mandate_weak_key", str(error)) from None


class Verifier:
    """Judges tokens by root keys (number -> Ed25519 key) and approvers' keys (name -> key).

    Keys are taken as given: read them by `signer.read_key`, which refuses weak ones.
    `jurisdictions` = place -> what it lies in. What was verified is kept, so that the next request
    with the same token costs a look at its times.
    """

    def __init__(
        self,
        roots: Mapping[int, bytes],
        approvers: Mapping[str, bytes] | None = None,
        jurisdictions: Mapping[str, str] | None = None,
        cache_max: int = CACHE_MAX,
    ) -> None:
        from biscuit_auth import Algorithm, Rule
        from biscuit_auth import PublicKey as BiscuitKey

        algorithm = getattr(Algorithm, "Ed25519")  # noqa: B009 - not in the stubs
        self._roots = {
            number: BiscuitKey.from_bytes(key, algorithm)  # type: ignore[call-arg]
            for number, key in roots.items()
        }
        self._approvers = {
            PublicKey(ED25519, key).text(): name for name, key in (approvers or {}).items()
        }
        self._approved = {
            key: Rule(f"approved($id, $action, $policy, $until) <- "
                      f"approved($id, $action, $policy, $until) trusting {key}")
            for key in self._approvers
        }  # fmt: skip
        self._facts = {
            name: Rule(f"{name}({terms}) <- {name}({terms})")
            for name, terms in {
                "human": "$x, $y", "session": "$x", "tenant": "$x", "acr": "$x", "amr": "$x",
                "granted": "$x", "holder": "$x",
            }.items()
        }  # fmt: skip
        self._jurisdictions = Jurisdictions(jurisdictions or {})
        self._kept: dict[str, Mandate] = {}
        self._kept_max = cache_max

    def verify(self, token: str, at: Seconds, holder: str = "") -> Mandate:
        """What the token allows at `at` (Unix s), shown with the key of thumbprint `holder`.

        Raises MandateError: with `is_retryable`, nothing was found wrong with the token.
        """
        mandate = self._kept.get(token)
        if mandate is None:
            mandate = self._verified(token, at)
            if len(self._kept) >= self._kept_max:
                del self._kept[next(iter(self._kept))]
            self._kept[token] = mandate
        if at > mandate.expires_at:
            raise MandateError("mandate_expired", "the mandate has expired: ask for a new one")
        if at + CLOCK_SKEW_S < mandate.not_before:
            raise MandateError(
                "mandate_not_yet", "the mandate is of a time yet to come: is a clock wrong?"
            )
        if mandate.holder and mandate.holder != holder:
            raise _not_held(holder)
        if mandate.approvals:
            live = tuple(one for one in mandate.approvals if at <= one.expires_at)
            return structs.replace(mandate, approvals=live)
        return mandate

    def _verified(self, token: str, at: Seconds) -> Mandate:
        data = bytes_of(token)
        frame = frame_of(data)
        root = self._roots.get(frame.root_key_id)
        if root is None:
            raise MandateError(
                "mandate_unknown_root",
                f"no root key {frame.root_key_id} is trusted here: is it retired, or another's?",
            )
        biscuit = _biscuit(data, root)
        makers, delegates, holder, blocks = self._chain(biscuit, frame)
        limits = meet((block.limits for block in blocks), self._jurisdictions)
        if limits.expires_at is None:
            raise MandateError("mandate_unreadable", "the mandate never expires; here each must")
        hops = BLOCKS_MAX if limits.hops is None else limits.hops
        if len(delegates) > hops:
            raise MandateError("mandate_depth", f"delegated {len(delegates)} times, {hops} allowed")
        judge = self._judged(biscuit, limits, len(delegates), at)
        facts = {
            name: [one.terms for one in judge.query(rule)] for name, rule in self._facts.items()
        }
        return Mandate(
            chain=tuple(biscuit.revocation_ids),
            human="|".join(_only(facts["human"], 2)),
            root_key=str(frame.root_key_id),
            session=_only(facts["session"], 1)[0],
            tenant=_only(facts["tenant"], 1)[0],
            delegates=delegates,
            operations=limits.operations,
            models=limits.models,
            classes=limits.classes,
            data_classes=limits.data_classes,
            jurisdictions=limits.jurisdictions,
            spends=_spends(blocks, biscuit.revocation_ids),
            depth_left=min(hops - len(delegates), BLOCKS_MAX - len(blocks)),
            autonomy=limits.autonomy or 0,
            policy_digest=limits.policy_digest,
            holder=holder,
            is_held=bool(holder),
            approvals=self._approvals(judge, makers),
            not_before=max((one[0].timestamp() for one in facts["granted"]), default=0.0),
            expires_at=limits.expires_at,
            acr=_only(facts["acr"], 1)[0],
            amr=tuple(sorted(one[0] for one in facts["amr"])),
        )

    def _chain(
        self, biscuit: "Biscuit", frame: Frame
    ) -> tuple[list[str], tuple[str, ...], str, list[Block]]:
        """(third parties' keys, delegates, whose key must be shown, blocks), from first to last.

        A token that is bound to a key is delegated on only by that key: otherwise who stole it
        could bind it to a key of their own.
        """
        third, delegates, holders, blocks = [""] * len(frame.blocks), [], [""], []
        for place, signed in enumerate(frame.blocks):
            key = signed.external.key if signed.external else None
            third[place] = key.text() if key else ""
            maker: Maker = "authority" if place == 0 else "holder"
            if key is not None and third[place] in self._approvers:
                maker = "approver"
            elif key is not None and holder_name(key) != holders[-1]:
                raise MandateError(
                    "mandate_foreign_block",
                    f"block {place} is signed by a key that is neither an approver's nor the "
                    "holder's: have an approver listed here approve it",
                )
            block = read(biscuit.block_source(place), maker, place)
            for fact in block.facts:
                if fact.name == "holder":
                    holders.append(fact.strings[0])
                elif fact.name == "delegate":
                    delegates.append(fact.strings[0])
                    _check_hand_over(holders[-1], fact.strings[1], key is not None, place)
                    holders.append(fact.strings[1] or holders[-1])
            blocks.append(block)
        self._check_approvers(third, holders)
        return third, tuple(delegates), holders[-1], blocks

    def _check_approvers(self, third: list[str], holders: list[str]) -> None:
        for key in filter(self._approvers.__contains__, third):
            approver = holder_name(PublicKey(ED25519, bytes.fromhex(key.partition("/")[2])))
            if approver in holders:
                raise MandateError(
                    "mandate_self_approved",
                    f"{self._approvers[key]} holds this mandate and cannot approve it as well: "
                    "ask another approver",
                )

    def _judged(self, biscuit: "Biscuit", limits: Limits, hops: int, at: Seconds) -> "Authorizer":
        """The token's Datalog, after it found that all of `limits` passes. Raises MandateError."""
        from biscuit_auth import AuthorizationError, AuthorizerBuilder

        source, values = _question(limits, self._jurisdictions, hops, at)
        for _ in range(CHECK_TRIES):
            builder = AuthorizerBuilder(source, values)
            bounds = builder.limits()  # type: ignore[attr-defined]
            bounds.max_time = CHECK_TIME
            builder.set_limits(bounds)  # type: ignore[attr-defined]
            judge = builder.build(biscuit)
            try:
                judge.authorize()
                return judge
            except AuthorizationError as error:
                if _LIMIT_REACHED not in str(error):
                    expired = limits.expires_at is not None and at > limits.expires_at
                    raise _failed(expired) from None
        raise MandateError(
            "mandate_check_busy", "this machine was too busy to check the mandate: try again"
        )

    def _approvals(self, judge: "Authorizer", third: list[str]) -> tuple[Approval, ...]:
        found = {}
        for key in dict.fromkeys(filter(self._approvers.__contains__, third)):
            for fact in judge.query(self._approved[key]):
                name, action, policy, until = fact.terms
                found[key, name] = Approval(
                    id=name, by=self._approvers[key], action_sha256=action,
                    policy_digest=policy, expires_at=until.timestamp(),
                )  # fmt: skip
        return tuple(found.values())


def _biscuit(data: bytes, root: Any) -> "Biscuit":
    from biscuit_auth import Biscuit, BiscuitValidationError

    try:
        return Biscuit.from_bytes(data, root)
    except BiscuitValidationError:
        raise MandateError(
            "mandate_forged", "a signature of the mandate does not hold: it was changed or made up"
        ) from None


def _question(
    limits: Limits, jurisdictions: Jurisdictions, hops: int, at: Seconds
) -> tuple[str, dict[str, Any]]:
    from datetime import UTC, datetime

    lines = ["time({at});", f"hops({hops});", "allow if human($x, $y);"]
    values: dict[str, Any] = {"at": datetime.fromtimestamp(int(at), UTC)}
    for field, predicate in SETS.items():
        for name in getattr(limits, field):
            number = len(values)
            values[f"v{number}"] = name
            around = ""
            if field == "jurisdictions":
                values[f"in{number}"] = set(jurisdictions.around(name))
                around = f", {{in{number}}}"
            lines.append(f"{predicate}({{v{number}}}{around});")
    if limits.budget_micro_usd is not None:
        lines.append(f"spend({limits.budget_micro_usd});")
    if limits.autonomy is not None:
        lines.append(f"autonomy({limits.autonomy});")
    if limits.policy_digest:
        values["policy"] = limits.policy_digest
        lines.append("policy({policy});")
    return "\n".join(lines), values


def _spends(blocks: Iterable[Block], ids: list[str]) -> tuple[Spend, ...]:
    return tuple(
        Spend(block=name, limit_micro_usd=block.limits.budget_micro_usd)
        for block, name in zip(blocks, ids, strict=True)
        if block.limits.budget_micro_usd is not None
    )


def _only(found: list[list[str]], terms: int) -> list[str]:
    if len(found) > 1:
        raise MandateError("mandate_unreadable", "the root states one thing twice, in two ways")
    return found[0] if found else [""] * terms


def _check_hand_over(holder: str, next_holder: str, is_signed: bool, place: int) -> None:
    if holder and next_holder not in ("", holder) and not is_signed:
        raise MandateError(
            "mandate_rebound",
            f"block {place} binds the mandate to another key, and its holder did not sign that: "
            "delegate it with --holder-key",
        )


def _not_held(shown: str) -> MandateError:
    if shown:
        return MandateError("mandate_holder_mismatch", "the mandate belongs to another key")
    return MandateError(
        "mandate_holder_required",
        "the mandate is bound to a key: send a DPoP proof made with it (RFC 9449)",
    )


def _failed(expired: bool) -> MandateError:
    if expired:
        return MandateError("mandate_expired", "the mandate has expired: ask for a new one")
    return MandateError("mandate_check_failed", "a check of the mandate does not hold")
