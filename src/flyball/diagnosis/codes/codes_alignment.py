"""What do the codes FB-2xx say: objectives that do not go together?"""

from flyball.diagnosis.codes.code import WHAT_IF, Code

ALIGNMENT = (
    Code(
        code="FB-201",
        kind="opposed",
        area="alignment",
        level="warning",
        title="Two loops' objectives pull the shared actuators apart",
        meaning="What one loop gains by a typical move, the other loses.",
        rule="Cosine of the range-scaled gradients below -0.5, and a cross effect that takes "
        "back at least a tenth of what the loop gains by its own typical move.",
        harm="They pay for each other's moves; how much, FB-204 tells.",
        steps=(
            "Put one price on what both want, and let each act on it.",
            "Give one of them a part of the fleet of its own.",
        ),
        next_step="flyball prices",
    ),
    Code(
        code="FB-202",
        kind="stationary",
        area="alignment",
        level="note",
        title="No move is good for all loops: only a price can decide",
        meaning="The loops stand where any gain of one is a loss of another.",
        rule="The shortest convex combination of the scaled gradients is below 5 % of the "
        "longest gradient.",
        harm="None by itself; tuning further only moves the loss from one loop to another.",
        steps=("State what each objective is worth in one unit, and let the joint plan decide.",),
        next_step="flyball prices",
    ),
    Code(
        code="FB-203",
        kind="unsettled",
        area="alignment",
        level="warning",
        title="Where the loops settle together is not certain",
        meaning="No weights were found under which the loops' game is strictly monotone.",
        rule="Rosen's condition (1965) fails: no positive diagonal makes diag(r) M + M' diag(r) "
        "positive definite.",
        harm="Several resting places, or none: where the fleet ends depends on its past.",
        steps=(
            "Slow the pair with the largest cross effects.",
            "Compare the resting places from several starts.",
        ),
        next_step=WHAT_IF,
    ),
    Code(
        code="FB-204",
        kind="incoherent",
        area="alignment",
        level="warning",
        title="The loops lose value against the joint optimum",
        meaning="Where each loop does its own best, the fleet does worse than it could.",
        rule="Coherence (value where the loops settle / value of the joint optimum) below 0.95.",
        harm="The missing share is paid in hardware, energy or broken promises.",
        steps=(
            "Let the governor steer the actuators named (mode: advise, then enforce).",
            "Move the first loop's target towards the joint optimum in the evidence.",
        ),
        next_step="flyball advise",
    ),
)
