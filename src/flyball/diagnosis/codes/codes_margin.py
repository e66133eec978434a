"""What do the codes FB-5xx say: how near the fleet is to where its loops lose it?"""

from flyball.diagnosis.codes.code import Code

_TWIN = "Fitted twin, re-drawn by bootstrap over its parameters: "

MARGIN = (
    Code(
        code="FB-501",
        kind="gain margin",
        area="margin",
        level="error",
        title="A loop's gain may not double",
        meaning="Gain times delay brings the loop near oscillation.",
        rule=_TWIN + "more than a tenth of the draws are unstable at twice the gain.",
        harm="The next small change of load, delay or tuning makes it oscillate.",
        steps=("Lower the loop's gain to a third of the critical one.", "Shorten its delay."),
        next_step="flyball hold {loop}",
    ),
    Code(
        code="FB-502",
        kind="load margin",
        area="margin",
        level="error",
        title="A little more load and no healthy rest is left",
        meaning="Truncation and retries feed each other a little above the present load.",
        rule=_TWIN + "more than a tenth of the draws have no healthy rest at the load limit.",
        harm="A collapse that lasts after the load is gone again.",
        steps=("Shed or move load, or add capacity.", "Raise the budget that forces truncation."),
        next_step="flyball capacity",
    ),
    Code(
        code="FB-503",
        kind="cost gain",
        area="margin",
        level="error",
        title="Cutting context saves less and less",
        meaning="What is cut comes back as retries.",
        rule="The gain of spend over context, by per-request randomisation, lies below 0.93 by "
        "three standard errors.",
        harm="At a gain of zero the cost loop drives itself off the cliff.",
        steps=("Hold the cost loop.", "Send its error to an admission price."),
        next_step="flyball hold {loop}",
    ),
    Code(
        code="FB-504",
        kind="sensitivity",
        area="margin",
        level="error",
        title="The loops amplify what they should damp",
        meaning="The measured peak of the loops' sensitivity is high, whatever any model says.",
        rule="Peak of the sensitivity by dither above 2.4.",
        harm="Noise of the load grows into oscillation.",
        steps=("Lower the gain of the loop named first.",),
        next_step="flyball hold {loop}",
    ),
    Code(
        code="FB-505",
        kind="twin",
        area="margin",
        level="warning",
        title="The loops do not answer as the twin says",
        meaning="Measured and predicted answers to the dither differ by more than 30 %, in size or "
        "in shape.",
        rule="Twice the interval of measured / predicted leaves out 0.7 to 1.3; or the sensitivity "
        "over all frequencies is off by more than 30 % of the predicted answer, by six standard "
        "errors.",
        harm="Margins by the twin count no more; only the model-free probes are left.",
        steps=("Fit the twin anew; look for a loop that it does not know.",),
        next_step="flyball calibrate",
    ),
    Code(
        code="FB-506",
        kind="interaction",
        area="margin",
        level="error",
        title="A loop's gain turns or fades with the others at work",
        meaning="What a loop moves no longer does what it did when it was set to work, or does the "
        "opposite once another loop closes, opens or stands at its limit.",
        rule=_TWIN + "in more than a tenth of the draws a group of loops has a diagonal relative "
        "gain (RGA) or a Niederlinski index below 0, or a loop's own static gain is below half of "
        "that at commissioning.",
        harm="Feedback with the wrong sign drives away from its target, with any tuning.",
        steps=("Hold the loop named first.", "Pair it with another actuator, or commission anew."),
        next_step="flyball hold {loop}",
    ),
    Code(
        code="FB-507",
        kind="trigger margin",
        area="margin",
        level="error",
        title="A short spike would leave the fleet in a bad state that lasts",
        meaning="The fleet runs well until something pushes it; then retries hold it down when the "
        "push is over (metastable).",
        rule=_TWIN + "in more than a tenth of the draws a spike of 1.6 times the load for 30 s is "
        "not come back from, with all loops at work.",
        harm="An outage that outlasts its cause, until load is shed.",
        steps=("Bound retries by a budget.", "Add capacity, or shed work of little value sooner."),
        next_step="flyball capacity",
    ),
    Code(
        code="FB-508",
        kind="no rest",
        area="margin",
        level="error",
        title="No healthy state of rest is left at today's load",
        meaning="As things stand the fleet does not come back by itself.",
        rule=_TWIN + "more than a tenth of the draws have no healthy rest as things stand.",
        harm="The collapse is under way.",
        steps=("Shed load now.", "Hold the loop named first."),
        next_step="flyball hold {loop}",
    ),
    Code(
        code="FB-509",
        kind="load margin",
        area="margin",
        level="error",
        title="The plan's pools have room for little more load",
        meaning="By what requests take and what the endpoints in service have, demand may grow "
        "by 6 % at most before promises must be broken or work refused.",
        rule="Demand at the end of a line through the last twelve looks; the factor by which it "
        "may grow, proven from both sides, is at most 1.06 in two looks in a row.",
        harm="Work is refused or late; clients that try again add to the load that made them.",
        steps=(
            "Add capacity, or shed work of little value now.",
            "Let the loop named first retry less: a budget, or longer pauses.",
        ),
        next_step="flyball capacity",
    ),
    Code(
        code="FB-510",
        kind="retry gain",
        area="margin",
        level="error",
        title="Retries feed on themselves",
        meaning="One attempt more brings more than half of one again.",
        rule="Retries per attempt, or retries per failed attempt times the slope of failures over "
        "load, lie above 0.5 by three standard errors; or a fitted twin's gain lies above it "
        "in more than a tenth of the draws.",
        harm="A burst echoes longer than it lasted; from 1 on the fleet does not come back.",
        steps=(
            "Refuse retries at the gateway, and tell clients so (x-should-retry: false).",
            "Shed load until answers come in time again.",
        ),
        next_step="flyball diagnose --live URL",
    ),
)
