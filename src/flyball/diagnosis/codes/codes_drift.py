"""What do the codes FB-4xx say: a layer that is no longer as it was accepted?"""

from flyball.diagnosis.codes.code import Code

_COMPARE = "flyball diagnose --baseline ACCEPTED --current NOW"
_ALARM = (
    "An e-detector over blocks of the stream passes the limit that keeps the run length asked for, "
    "all streams together under one budget of alarms (e-BH)."
)

DRIFT = (
    Code(
        code="FB-401",
        kind="drift-control",
        area="drift",
        level="warning",
        title="The control layer behaves otherwise than accepted",
        meaning="Who goes where, how often is retried, truncated or refused has changed.",
        rule=_ALARM,
        harm="Answers get worse or dearer though model and engines are the same.",
        steps=(
            "Look for a change of routing, limits or configuration at that time.",
            "Compare the paths of an accepted run with the present one.",
        ),
        next_step=_COMPARE,
    ),
    Code(
        code="FB-402",
        kind="drift-inference",
        area="drift",
        level="warning",
        title="The engines behave otherwise than accepted",
        meaning="Latency beyond what was predicted, or cache hits, have changed.",
        rule=_ALARM,
        harm="Promises are missed by a growing share; prices rest on a model that is off.",
        steps=("Look for a new engine version, driver or batch limit.", "Calibrate the profile."),
        next_step="flyball calibrate",
    ),
    Code(
        code="FB-403",
        kind="drift-model",
        area="drift",
        level="warning",
        title="The model's answers are otherwise than accepted",
        meaning="Length, form or schema of the answers have changed.",
        rule=_ALARM,
        harm="Agents that parse the answers break; work per answer changes.",
        steps=(
            "Compare the fingerprint of the endpoint with the pinned one.",
            "Look for a change of template, sampling or precision.",
        ),
        next_step="flyball conformance FOLDER",
    ),
    Code(
        code="FB-404",
        kind="drift-fingerprint",
        area="drift",
        level="error",
        title="An endpoint answers otherwise than its pinned weights did",
        meaning="Probes at the border between answers come out otherwise, the digest being the "
        "same or not known.",
        rule="The mean shift over probes is met by equals in less than 1 % of comparisons.",
        harm="Quantisation, kernels or a fall-back changed what users get, with no new version.",
        steps=("Take the endpoint out of the pool.", "Compare engine, flags and hardware."),
        next_step="flyball conformance FOLDER",
    ),
    Code(
        code="FB-405",
        kind="weights-changed",
        area="drift",
        level="error",
        title="An endpoint's weights are not the pinned ones",
        meaning="The digest that the endpoint shows differs from the one that was accepted.",
        rule="Two digests, both known, that are not equal.",
        harm="What was evaluated is not what runs.",
        steps=("Roll back, or accept the new weights after evaluating them.",),
        next_step="flyball conformance FOLDER",
    ),
    Code(
        code="FB-406",
        kind="drift-attributed",
        area="drift",
        level="warning",
        title="An outcome drifts, and one layer makes the larger part of it",
        meaning="The change of an outcome is shared out over control, inference and model layer.",
        rule="Shapley shares whose bootstrap interval leaves zero out for at least one layer.",
        harm="As the outcome's own; the first layer named is where to begin.",
        steps=("Begin with the layer that makes most of it.",),
        next_step=_COMPARE,
    ),
    Code(
        code="FB-407",
        kind="drift-paths",
        area="drift",
        level="warning",
        title="Requests take paths that the baseline did not, or the other way round",
        meaning="The execution topology of two runs differs: paths that are new, gone, or taken "
        "more or less often.",
        rule="The divergence of the two is met by equals in less than 1 % of comparisons.",
        harm="What was benchmarked is not what runs in production.",
        steps=("Look at the loop that makes the most of the difference.",),
        next_step=_COMPARE,
    ),
)
