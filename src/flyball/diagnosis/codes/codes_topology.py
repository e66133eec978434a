"""What do the codes FB-1xx say: loops that are in each other's way?"""

from flyball.diagnosis.codes.code import WHAT_IF, Code

TOPOLOGY = (
    Code(
        code="FB-101",
        kind="direct",
        area="topology",
        level="error",
        title="Two loops move one actuator",
        meaning="Two loops that act set the same actuator in a scope that they share.",
        rule="Same actuator, overlapping scopes, both acting (not only observing or advising).",
        harm="Each undoes the other's moves: the set-point swings at the pace of the faster one, "
        "and the effective gain is the sum of both.",
        steps=(
            "Give the actuator to one of them; let the other only recommend (mode: advise).",
            "Or part their scopes, so that each has pools of its own.",
            "If one of them is foreign, declare it under `foreign_loops`: the governor then "
            "leaves it its share of the gain.",
        ),
        next_step="flyball hold {loop}",
    ),
    Code(
        code="FB-102",
        kind="direct",
        area="topology",
        level="error",
        title="Two writers fight over one field",
        meaning="Records show that one field was set by one writer and set back by another.",
        rule="Writes A, B, A with other values within 5 periods of A, at least twice; or two "
        "owners of one field of which at least one is no person.",
        harm="What is in force depends on who wrote last; every deploy or reconcile resets what "
        "a loop has steered.",
        steps=(
            "Take the field out of the manifest or template that one of them applies.",
            "With server-side apply, give up the field by one of the two owners.",
            "Stop the loop that has no business with the field.",
        ),
        next_step="flyball hold {loop}",
    ),
    Code(
        code="FB-103",
        kind="indirect",
        area="topology",
        level="warning",
        title="Two loops want one signal in different places",
        meaning="Two loops move the same signal by different actuators, one up and the other "
        "down, or to targets further apart than their bands.",
        rule="Both actuators move the signal; the preferred directions are opposite, or "
        "the targets differ by more than both bands together.",
        harm="Neither is ever content: both run until one meets its limit, and pay for it.",
        steps=(
            "Give both the same target, or widen the band of the slower one.",
            "Let one of them regulate another signal.",
            "Price the signal and let both act on the price.",
        ),
        next_step=WHAT_IF,
    ),
    Code(
        code="FB-104",
        kind="implicit",
        area="topology",
        level="error",
        title="A cycle of loops is unstable though each loop is stable alone",
        meaning="Loops that move each other's signals close a cycle with a growing mode.",
        rule="Each member alone has a gain margin above 1; all together at most 1.",
        harm="An oscillation or a drift that no single loop's tuning explains, growing until "
        "limits are met.",
        steps=(
            "Slow the first loop named: halve its gain, or make its period three times as long.",
            "Break the cycle: let one loop read a signal that the others do not move.",
            "Try the change before it is applied.",
        ),
        next_step=WHAT_IF,
    ),
    Code(
        code="FB-105",
        kind="temporal",
        area="topology",
        level="warning",
        title="Two coupled loops run at nearly the same pace",
        meaning="Two loops move each other's signals and their periods differ by less than three.",
        rule="Period ratio below 3, and a coupling of at least 0.1 both ways together (or not "
        "known).",
        harm="Neither can take the other's signal as settled: each corrects the other's moves.",
        steps=(
            "Make the slower one's period at least three times the faster one's.",
            "Or halve the gain of both.",
        ),
        next_step=WHAT_IF,
    ),
    Code(
        code="FB-106",
        kind="temporal",
        area="topology",
        level="warning",
        title="A loop acts again before it can see what it did",
        meaning="The delay from actuator to sensor is long against the loop's period.",
        rule="Delay above a third of the period, and a gain margin alone between 1 and 3 (or not "
        "known).",
        harm="Overshoot, then oscillation with about four times the delay as its period.",
        steps=(
            "Lengthen the period to three delays, or lower the gain to a third of the critical.",
            "Count what is under way (starting replicas, pending scale-downs) as if it were there.",
        ),
        next_step=WHAT_IF,
    ),
    Code(
        code="FB-107",
        kind="sign",
        area="topology",
        level="error",
        title="A loop's actuator no longer does what it was built to do",
        meaning="The gain from a loop's actuator to its own signal has turned, or has lost more "
        "than half of what it was at commissioning.",
        rule="The loop pushes its signal away from the target, or gain / gain at commissioning "
        "is below 0.5.",
        harm="With the gain at zero the loop runs to its limit; below zero it drives itself "
        "off: cutting context that breaks workflows costs more, not less.",
        steps=(
            "Hold the loop now: it can only do harm.",
            "Measure the gain by randomised moves before it is let loose again.",
            "Send the error to another actuator (an admission price).",
        ),
        next_step="flyball hold {loop}",
    ),
    Code(
        code="FB-108",
        kind="sign",
        area="topology",
        level="error",
        title="A loop's gain turns its sign when the other loops are closed",
        meaning="The relative gain of a loop is negative: alone it steers right, together wrong.",
        rule="A negative diagonal entry of the relative gain array over loops that move each "
        "other's signals (Bristol 1966).",
        harm="No tuning keeps the loops stable: either together, or when one is opened, one of "
        "them runs away.",
        steps=(
            "Pair actuators and signals otherwise (positive relative gains).",
            "Open one of the loops for good and let a joint plan set its actuator.",
        ),
        next_step="flyball hold {loop}",
    ),
    Code(
        code="FB-109",
        kind="saturation",
        area="topology",
        level="warning",
        title="A loop at its limit changes the gain of another",
        meaning="A loop stands at a limit of its actuator, so its cycle is open; another loop "
        "that relied on it now has another gain.",
        rule="Within 2 % of a limit, and the other's gain changes by a factor of 1.5 or turns "
        "its sign (or they are coupled both ways by gains not known).",
        harm="A loop that was tuned with the other at work overshoots or reverses.",
        steps=(
            "Raise the limit, or take load off, so that the first loop can move again.",
            "Lower the gain of the second loop by the factor in the evidence.",
        ),
        next_step=WHAT_IF,
    ),
    Code(
        code="FB-110",
        kind="signal",
        area="topology",
        level="error",
        title="A loop's sensor reads the wrong way because of another loop",
        meaning="Another loop's actuator moves the sensor against the truth that it stands for.",
        rule="The actuator moves sensor and truth in opposite senses, or the sensor alone.",
        harm="The loop takes work away where more is needed (idle threads that wait look like "
        "spare capacity), or adds where it is not.",
        steps=(
            "Let the loop read the truth itself (queue, demand) instead of its proxy.",
            "Correct the reading for the other actuator's set-point.",
        ),
        next_step="flyball hold {loop}",
    ),
    Code(
        code="FB-111",
        kind="budget",
        area="topology",
        level="warning",
        title="Loops may together spend more than there is",
        meaning="Several loops draw on one quota that nobody shares out.",
        rule="At least two acting loops name the quota, their claims exceed its limit (or are "
        "not known), and it has no arbiter.",
        harm="Who comes first takes all; the others stand at a limit that they do not know of.",
        steps=(
            "Give each loop a part of the quota as its limit.",
            "Let a price share it out (a budget, a site's power limit) and name it as arbiter.",
        ),
        next_step=WHAT_IF,
    ),
    Code(
        code="FB-112",
        kind="implicit",
        area="topology",
        level="note",
        title="A cycle of loops reinforces itself by its signs; its gain is not known",
        meaning="A move of one loop comes back to it, through the others, as a further move the "
        "same way.",
        rule="The product of all signs around the cycle is positive and a gain in it is unknown.",
        harm="Harmless below a cycle gain of 1, a runaway above it.",
        steps=(
            "Measure the missing gains: randomise one actuator a little for an hour.",
            "State them in the loops file.",
        ),
        next_step=WHAT_IF,
    ),
    Code(
        code="FB-113",
        kind="temporal",
        area="topology",
        level="error",
        title="A loop is unstable by itself",
        meaning="The loop's gain is beyond what its delay allows: it oscillates with no other "
        "loop's help.",
        rule="Gain margin alone of at most 1: gain x slope >= 2 sin(pi / (2 (2 d + 1))) at a "
        "delay of d periods.",
        harm="An oscillation that grows until a limit is met, and shakes every loop that reads "
        "what this one moves.",
        steps=(
            "Hold the loop, then lower its gain to a third of the critical one.",
            "Shorten its delay, or lengthen its period.",
        ),
        next_step="flyball hold {loop}",
    ),
)
