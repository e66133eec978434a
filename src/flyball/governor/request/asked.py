"""What is asked of policy about a request, and what is an error of policy taken for?

Whatever goes wrong inside an authority is a no: neither an answer with errors nor a raised one
lets anything through.
"""

from typing import Any

from flyball.governor.flight import Flight
from flyball.governor.state import ALIASES_MAX, State
from flyball.model.verdict import Action, Circumstances, Place, Subject, Verdict
from flyball.units import MS_PER_S

FAILED = "policy: the policies could not be asked"


def subject_of(flight: Flight, model: str, action: Action = "infer", loop: str = "") -> Subject:
    """What policy may read of the request that is the same for all of its kind.

    For a loop's act the principal is the loop: the answer then holds for all requests of a class.
    """
    klass, mandate = flight.klass, flight.head.mandate
    whose: dict[str, Any] = {}
    if mandate is not None and not loop:
        whose = {
            "human": mandate.human,
            "tenant": mandate.tenant,
            "depth": len(mandate.delegates),
            "autonomy": mandate.autonomy,
        }
    return Subject(
        action=action,
        principal=loop or flight.principal.name,
        class_name=klass.name,
        model=model,
        loop=loop,
        data_class=klass.data_class,
        data_home=klass.data_home,
        transfer_basis=klass.transfer_basis,
        purpose=klass.purpose,
        latency_class_ms=round(MS_PER_S * (klass.promise.e2e_s or klass.promise.ttft_s)),
        **whose,
    )


def known_subject(state: State, flight: Flight, model: str) -> Subject:
    """The subject of an inference, kept until classes or policies change: most requests have been
    asked about before."""
    party = flight.party
    whose = flight.principal.name if party is None else party.who
    key = (whose, flight.klass.name, model)
    found = state.subjects.get(key)
    if found is None:
        if len(state.subjects) >= ALIASES_MAX:
            state.subjects.clear()
        found = state.subjects[key] = subject_of(flight, model)
    return found


def mask(state: State, subject: Subject) -> tuple[str, ...]:
    """For each pool of the fleet why policy masks it, "" = it does not."""
    try:
        rules = state.authority.mask(subject, state.places)
    except Exception as fault:
        return (f"{FAILED} ({type(fault).__name__})",) * len(state.places)
    return tuple([f"policy: {rule}" if rule else "" for rule in rules])


def decide(state: State, subject: Subject, circumstances: Circumstances, place: Place) -> Verdict:
    """The answer; one with errors is a no."""
    try:
        verdict = state.authority.decide(subject, circumstances, place)
    except Exception as fault:
        return Verdict(allowed=False, errors=(f"{type(fault).__name__}: {fault}",))
    if verdict.errors and verdict.allowed:
        return Verdict(allowed=False, policies=verdict.policies, errors=verdict.errors)
    return verdict
