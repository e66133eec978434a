"""Which layer is no longer as it was accepted, with the weights of the model the same?

FB-401  a control-layer stream drifts (who goes where, retries, truncation, refusals)
FB-402  an inference-layer stream drifts (latency beyond what was predicted, cache hits)
FB-403  a model-layer stream drifts (length of answers, form, schema)
FB-404  an endpoint answers otherwise than its pinned weights did
FB-405  an endpoint's weights are not the pinned ones
FB-406  an outcome drifts, and one layer makes the larger part of it
FB-407  requests take paths that the baseline did not, or the other way round
"""

from collections.abc import Sequence

from flyball.diagnosis.drift.attribution import Share
from flyball.diagnosis.drift.fingerprint import Fingerprint, Likeness
from flyball.diagnosis.drift.pathdrift import CHANCE, PathComparison
from flyball.diagnosis.drift.streams import Alarm, Layer, Stream
from flyball.diagnosis.finding import Evidence, Finding
from flyball.units import Seconds

KINDS = {
    "FB-401": "drift-control",
    "FB-402": "drift-inference",
    "FB-403": "drift-model",
    "FB-404": "drift-fingerprint",
    "FB-405": "weights-changed",
    "FB-406": "drift-attributed",
    "FB-407": "drift-paths",
}
CODE_OF_LAYER: dict[Layer, str] = {
    "control": "FB-401",
    "inference": "FB-402",
    "model": "FB-403",
}
LIKENESS_CHANCE = 0.01
"""A fingerprint that equals would show more rarely than this is not the pinned one."""


def of_alarm(
    alarm: Alarm, streams: Sequence[Stream], at: Seconds, run_length: float
) -> list[Finding]:
    """One finding per stream that an alarm names; `run_length` in minutes, as it was asked for."""
    known = {stream.name: stream for stream in streams}
    found = []
    for i, name in enumerate(alarm.streams):
        stream = known[name]
        moves = sorted(
            zip(stream.parts, alarm.accepted[i], alarm.recent[i], strict=True),
            key=lambda move: -abs(move[2] - move[1]),
        )
        code = CODE_OF_LAYER[stream.layer]
        part, was, now = moves[0]
        found.append(
            Finding(
                code=code,
                kind=KINDS[code],
                area="drift",
                at=at,
                loops=(),
                actuators=(),
                scope=name,
                summary=f"{name}: {part} was {was:.4g} and is {now:.4g}",
                confidence=max(0.0, 1.0 - run_length / max(run_length, alarm.strengths[i])),
                evidence=(
                    Evidence(
                        what="evidence of a change",
                        value=alarm.strengths[i],
                        unit="min",
                        limit=run_length,
                    ),
                    *(
                        Evidence(what=f"{part} (limit = as accepted)", value=now, limit=was)
                        for part, was, now in moves[:3]
                    ),
                ),
                next_step="flyball diagnose --baseline ACCEPTED --current NOW",
            )
        )
    return found


def of_fingerprint(
    pinned: Fingerprint, now: Fingerprint, like: Likeness, at: Seconds
) -> list[Finding]:
    """Other weights, or the same weights that answer otherwise; nothing if all is alike."""
    differs = like.chance <= LIKENESS_CHANCE
    is_other = bool(pinned.digest and now.digest) and pinned.digest != now.digest
    if not differs and not is_other:
        return []
    code = "FB-405" if is_other else "FB-404"
    what = "does not hold the pinned weights" if is_other else "answers otherwise than the pinned"
    return [
        Finding(
            code=code,
            kind=KINDS[code],
            area="drift",
            at=at,
            loops=(),
            actuators=(),
            scope=now.endpoint,
            summary=f"{now.endpoint} {what}"
            + ("" if is_other or like.same_weights else " (digest of the weights not known)"),
            confidence=1.0 if is_other else 1.0 - like.chance,
            evidence=(
                Evidence(
                    what="mean shift over prompts (limit = 95 % of equals)",
                    value=like.shift,
                    limit=like.usual,
                ),
                Evidence(what="chance among equals", value=like.chance, limit=LIKENESS_CHANCE),
                *(
                    Evidence(what=f"prompt {prompt}", value=sigmas, unit="standard errors")
                    for prompt, sigmas in like.worst
                ),
            ),
            next_step=f"flyball conformance {now.endpoint}",
        )
    ]


def of_shares(outcome: str, shares: Sequence[Share], at: Seconds) -> list[Finding]:
    """The layer that makes the larger part of an outcome's drift; nothing while no layer's interval
    leaves zero out."""
    sure = [share for share in shares if share.low > 0.0 or share.high < 0.0]
    if not sure:
        return []
    first = sure[0]
    return [
        Finding(
            code="FB-406",
            kind=KINDS["FB-406"],
            area="drift",
            at=at,
            loops=(),
            actuators=(),
            scope=outcome,
            summary=f"{outcome} drifts by {sum(s.change for s in shares):+.4g}, "
            f"of which {first.layer} makes {first.change:+.4g}",
            confidence=first.first_share,
            evidence=tuple(
                Evidence(what=f"share of {s.layer}", value=s.change, low=s.low, high=s.high)
                for s in shares
            ),
            next_step="flyball diagnose --baseline ACCEPTED --current NOW",
        )
    ]


def of_paths(found: PathComparison, at: Seconds, shown: int = 3) -> list[Finding]:
    """What differs between two runs' paths; nothing if equals would differ as much."""
    if found.chance > CHANCE:
        return []
    marked = [
        *(("new", change) for change in found.new if change.chance <= CHANCE),
        *(("gone", change) for change in found.gone if change.chance <= CHANCE),
        *(("moved", change) for change in found.moved),
    ]
    marked.sort(key=lambda pair: -abs(pair[1].after - pair[1].before))
    return [
        Finding(
            code="FB-407",
            kind=KINDS["FB-407"],
            area="drift",
            at=at,
            loops=tuple(name for name, bits in found.loops[:shown] if bits > 0.0),
            actuators=(),
            summary=f"{len(found.new)} paths only in the current run, {len(found.gone)} only in "
            f"the baseline, {len(found.moved)} taken more or less often",
            confidence=1.0 - found.chance,
            evidence=(
                Evidence(
                    what="divergence (limit = 95 % of equals)",
                    value=found.bits,
                    unit="bit",
                    limit=found.usual_bits,
                ),
                *(
                    Evidence(what=f"made by {name}", value=bits, unit="bit")
                    for name, bits in found.loops[:shown]
                ),
                *(
                    Evidence(
                        what=f"{word}: {' > '.join(change.path)} (limit = baseline)",
                        value=change.after,
                        limit=change.before,
                    )
                    for word, change in marked[:shown]
                ),
            ),
            next_step=f"flyball hold {found.loops[0][0]}" if found.loops else "flyball diagnose",
        )
    ]
