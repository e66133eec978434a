"""Which (accelerator, model) pairs have published timing, and what is it?

The numbers stand in `data/profiles.json`, each entry with its source and its known error.
"""

from difflib import get_close_matches
from functools import cache
from importlib import resources

import msgspec

from flyball.model.profile import Profile


@cache
def catalogue() -> dict[str, Profile]:
    """Every shipped profile by name, such as "h100/llama-3.1-8b"; read once."""
    text = resources.files("flyball").joinpath("data", "profiles.json").read_bytes()
    return {profile.name: profile for profile in msgspec.json.decode(text, type=list[Profile])}


def profile(name: str) -> Profile:
    """The profile of that name; ValueError with the nearest names if there is none."""
    known = catalogue()
    if name in known:
        return known[name]
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(known)}"
    raise ValueError(f"no profile is named {name!r}; {hint}")
