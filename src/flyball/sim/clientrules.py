"""How does a scenario say what its clients do: how far, how patient, how stubborn?"""

from msgspec import Struct

from flyball.units import Ratio, Seconds


class ClientRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the clients of a world behave; `patience_s` by class, "" = all others."""

    rtt_ms: float = 0.0
    retries: int = 2
    backoff_s: Seconds = 0.5
    backoff_s_max: Seconds = 8.0
    jitter_ratio: Ratio = 0.25
    patience_s: dict[str, Seconds] = {}

    def patience(self, class_name: str, default_s: Seconds = 600.0) -> Seconds:
        """How long a client of this class waits for a first byte."""
        return self.patience_s.get(class_name, self.patience_s.get("", default_s))
