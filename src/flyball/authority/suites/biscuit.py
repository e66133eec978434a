"""Do tokens verify and judge as Biscuit's published samples say?

The layout is eclipse-biscuit/biscuit's `samples/current`: `samples.json` (`root_public_key`, and
`testcases` with `filename`, `token` and `validations`: `authorizer_code`, `result`,
`revocation_ids`) beside the tokens as `.bc` files.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from flyball.authority.mandates.tokens import CHECK_TIME
from flyball.authority.suites.policies import Case, Folder

if TYPE_CHECKING:
    from biscuit_auth import Biscuit

_FAILED = re.compile(r"Check n°(\d+) in (authorizer|block n°(\d+))")
_LIMITS = {"max_facts": 10_000, "max_iterations": 1_000}


def biscuit_cases(folder: Folder) -> Iterator[Case]:
    """A case for each validation, one for each token's blocks where they are given."""
    for path, found in folder.documents():
        if not isinstance(found, dict) or not {"root_public_key", "testcases"} <= found.keys():
            continue
        base = path.rpartition("/")[0]
        for sample in found["testcases"]:
            name = f"{base}/{sample['filename']}" if base else sample["filename"]
            if name not in folder.paths:
                yield Case(name, "the token's file is missing")
                continue
            yield from _cases(name, found, sample, folder.read(name))


def _cases(name: str, found: dict[str, Any], sample: dict[str, Any], data: bytes) -> Iterator[Case]:
    token = _token(data, found)
    for title, wanted in sample["validations"].items():
        case = f"{name}: {sample['title']}" + (f", {title}" if title else "")
        if isinstance(token, str):
            yield Case(case, "" if _is_unreadable(wanted["result"]) else token)
            continue
        yield Case(case, _judged(token, wanted))
    if not isinstance(token, str):
        keys = [token.block_external_key(place) for place in range(token.block_count())]
        texts = [key and str(key).removeprefix("ed25519/") for key in keys]
        given = [_key_text(block.get("external_key")) for block in sample["token"]]
        yield Case(f"{name}: third parties", "" if texts == given else "other keys are found")


def _is_unreadable(result: dict[str, Any]) -> bool:
    """Whether the token must be refused before it is judged."""
    error = result.get("Err", {})
    return "Format" in error or "InvalidBlockRule" in error.get("FailedLogic", {})


def _key_text(key: str | None) -> str | None:
    return key and key.removeprefix("ed25519/")


def _token(data: bytes, found: dict[str, Any]) -> "Biscuit | str":
    from biscuit_auth import Algorithm, Biscuit, BiscuitValidationError, PublicKey

    ed25519 = getattr(Algorithm, "Ed25519")  # noqa: B009 - not in the stubs
    key = bytes.fromhex(found["root_public_key"].removeprefix("ed25519/"))
    try:
        root = PublicKey.from_bytes(key, ed25519)  # type: ignore[call-arg]
        return Biscuit.from_bytes(data, root)
    except BiscuitValidationError:
        return "refused, but it is valid"


def _judged(token: "Biscuit", wanted: dict[str, Any]) -> str:
    """What is wrong; "" = nothing."""
    from biscuit_auth import AuthorizationError, AuthorizerBuilder, BiscuitBlockError, DataLogError

    result = wanted["result"]
    if "Format" in result.get("Err", {}):
        return "accepted, but it is not valid"
    ids = wanted["revocation_ids"]
    if ids and list(token.revocation_ids) != ids:
        return "its revocation ids differ"
    try:
        builder = AuthorizerBuilder(wanted["authorizer_code"])
        bounds = builder.limits()  # type: ignore[attr-defined]
        bounds.max_time = max(CHECK_TIME, timedelta(seconds=1))
        for field, value in _LIMITS.items():
            setattr(bounds, field, value)
        builder.set_limits(bounds)  # type: ignore[attr-defined]
        _with_functions(builder)
        policy = builder.build(token).authorize()
    except (AuthorizationError, BiscuitBlockError, DataLogError) as error:
        return _differs(str(error), result)
    return "" if result.get("Ok") == policy else "allowed, but it must not be"


def _with_functions(builder: Any) -> None:
    """The one outside function that the samples call: whether two strings are equal."""
    builder.register_extern_func("test", _equal)


def _equal(left: Any, right: Any = None) -> Any:
    if right is None:
        return left
    if isinstance(left, str) and isinstance(right, str):
        return "equal strings" if left == right else "different strings"
    raise ValueError("unsupported operands")


def _differs(error: str, result: dict[str, Any]) -> str:
    if "Err" not in result:
        return f"refused, but it must be allowed: {error[:200]}"
    wanted = result["Err"].get("FailedLogic", {})
    stated = next(iter(wanted.values()), {}) if isinstance(wanted, dict) else {}
    checks = {_place(one) for one in stated.get("checks", ())}
    found = {
        (int(block) if block else -1, int(check)) for check, _, block in _FAILED.findall(error)
    }
    if checks and found and checks != found:
        return f"other checks failed: {sorted(found)}, not {sorted(checks)}"
    return ""


def _place(check: dict[str, Any]) -> tuple[int, int]:
    """(block, -1 = the authorizer; number of the check)."""
    block = check.get("Block")
    return (
        (block["block_id"], block["check_id"]) if block else (-1, check["Authorizer"]["check_id"])
    )
