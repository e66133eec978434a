"""What do the codes FB-3xx say: behaviour that depends on where a request runs?"""

from flyball.diagnosis.codes.code import Code

_LIVE = "flyball diagnose --fleet FLEET.yaml --log LEDGER"

STRESS = (
    Code(
        code="FB-301",
        kind="stress-backend",
        area="stress",
        level="warning",
        title="One backend's answers are worse or better than another's",
        meaning="The same prompts with the same random numbers come out differently.",
        rule="The interval of the paired difference leaves out zero, and its size is at least the "
        "tolerance (1 point).",
        harm="Quality depends on the route, and every routing decision changes it.",
        steps=(
            "Compare engine, precision and kernels of the two backends.",
            "Keep classes that care on one of them until it is mended.",
        ),
        next_step=_LIVE,
    ),
    Code(
        code="FB-302",
        kind="stress-load",
        area="stress",
        level="warning",
        title="A backend's answers depend on its load",
        meaning="Quality moves with load, and not alike on all backends.",
        rule="The variance of backend x load is surely above zero.",
        harm="A burst makes answers worse, which makes agents retry, which adds load.",
        steps=(
            "Look at what the engine changes under load: batch shape, precision, truncation.",
            "Set the backend's limit below the load at which it begins.",
        ),
        next_step=_LIVE,
    ),
    Code(
        code="FB-303",
        kind="stress-transition",
        area="stress",
        level="warning",
        title="Answers depend on the backend before, within a session",
        meaning="Moving a session from one backend to another changes what it gets.",
        rule="The variance of transitions (from, to) is surely above zero.",
        harm="Each re-routing is a risk of its own; stickiness hides it until a failover.",
        steps=(
            "Compare templates, tokenisers and cached state of the two backends.",
            "Keep sessions where they are, except on failure.",
        ),
        next_step=_LIVE,
    ),
    Code(
        code="FB-304",
        kind="stress-unjudged",
        area="stress",
        level="note",
        title="Live routes cannot tell two backends apart",
        meaning="Too few requests could have gone either way to compare like with like.",
        rule="Less than 5 % of the requests had a real chance of both backends.",
        harm="None by itself: a difference would not be seen.",
        steps=("Run the paired canaries whose number the evidence gives.",),
        next_step=_LIVE,
    ),
    Code(
        code="FB-305",
        kind="stress-routes",
        area="stress",
        level="warning",
        title="One backend's outcomes are worse or better on live routes",
        meaning="On like requests, weighted by the recorded chances of their routes, outcomes "
        "differ.",
        rule="The interval of the doubly robust effect (AIPW) leaves out zero, and its size is at "
        "least the tolerance (1 point).",
        harm="As FB-301, at the load and with the mix of users.",
        steps=("Confirm by paired canaries, then compare the two backends.",),
        next_step="flyball explain --last",
    ),
)
