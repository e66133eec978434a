"""What does a policy read, and how is its condition put together?

A condition is taken apart where Cedar itself evaluates step by step (`&&`, `||`, `!`, `if`): what
is left are leaves, each with the facts that it alone reads.
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from flyball.authority.policy.question import DYNAMIC
from flyball.authority.policy.schema import ADJUSTING

if TYPE_CHECKING:
    from cedarpy import pst

# Comparisons of a whole entity with one named in the policy look at its id alone.
_BY_ID = ("eq", "not_eq")


class Reads(Struct, frozen=True, kw_only=True):
    """Facts that an expression depends on. `place` = all of a pool's facts; `context` = names.

    `principal`: 0 = not at all, 1 = its type, 2 = who it is. `parents` = the jurisdiction that the
    pool lies in, `pool` = its name, `resource` = its attributes.
    """

    context: frozenset[str] = frozenset()
    resource: frozenset[str] = frozenset()
    principal: int = 0
    action: bool = False
    parents: bool = False
    pool: bool = False
    place: bool = False
    whole_context: bool = False

    @property
    def dynamic(self) -> frozenset[str]:
        """Names in the context that differ from one request to the next."""
        return frozenset(DYNAMIC) if self.whole_context else self.context & DYNAMIC.keys()

    @property
    def is_static(self) -> bool:
        """It reads nothing that differs between requests of a kind."""
        return not self.dynamic

    @property
    def is_of_place(self) -> bool:
        """It reads something of the pool."""
        return bool(self.resource) or self.parents or self.pool or self.place


class Leaf(Struct, frozen=True, eq=False):
    """An expression that Cedar evaluates as a whole."""

    expr: "pst.Expr"
    reads: Reads


class Not(Struct, frozen=True, eq=False):
    """`!x`."""

    arg: "Condition"


class All(Struct, frozen=True, eq=False):
    """`a && b && …`: from the left, until one does not hold."""

    parts: tuple["Condition", ...]


class Any_(Struct, frozen=True, eq=False):
    """`a || b`: from the left, until one holds."""

    parts: tuple["Condition", ...]


class If(Struct, frozen=True, eq=False):
    """`if a then b else c`."""

    test: "Condition"
    then: "Condition"
    otherwise: "Condition"


Condition = Leaf | Not | All | Any_ | If


def condition(policy: "pst.Template") -> All:
    """A policy's whole condition, its scope first, as Cedar evaluates it."""
    from cedarpy import pst

    parts: list[Condition] = []
    parts += _scope("principal", policy.principal)
    action = policy.action
    if isinstance(action, pst.ActionEq):
        parts.append(_leaf(pst.BinaryOp("eq", pst.Var("action"), pst.EntityLit(action.entity))))
    elif isinstance(action, pst.ActionIn):
        named = pst.Set(tuple(pst.EntityLit(one) for one in action.entities))
        parts.append(_leaf(pst.BinaryOp("in", pst.Var("action"), named)))
    parts += _scope("resource", policy.resource)
    for clause in policy.clauses:
        inner = _taken_apart(clause.expr)
        parts.append(inner if isinstance(clause, pst.When) else Not(inner))
    return All(tuple(parts))


def leaves(part: Condition) -> Iterator[Leaf]:
    """All leaves of a condition, from the left."""
    match part:
        case Leaf():
            yield part
        case Not():
            yield from leaves(part.arg)
        case All() | Any_():
            for one in part.parts:
                yield from leaves(one)
        case If():
            for one in (part.test, part.then, part.otherwise):
                yield from leaves(one)


def joined(all_: Iterable[Reads]) -> Reads:
    """What several expressions read together."""
    found = tuple(all_)
    return Reads(
        context=frozenset[str]().union(*(one.context for one in found)),
        resource=frozenset[str]().union(*(one.resource for one in found)),
        principal=max((one.principal for one in found), default=0),
        action=any(one.action for one in found),
        parents=any(one.parents for one in found),
        pool=any(one.pool for one in found),
        place=any(one.place for one in found),
        whole_context=any(one.whole_context for one in found),
    )


def reads(policy: "pst.Template") -> Reads:
    """All that a policy reads."""
    return joined(leaf.reads for leaf in leaves(condition(policy)))


def _scope(name: Any, scope: "pst.PrincipalOrResourceConstraint") -> list[Condition]:
    from cedarpy import pst

    var = pst.Var(name)
    match scope:
        case pst.ScopeEq(entity=pst.EntityUid() as uid):
            return [_leaf(pst.BinaryOp("eq", var, pst.EntityLit(uid)))]
        case pst.ScopeIn(entity=pst.EntityUid() as uid):
            return [_leaf(pst.BinaryOp("in", var, pst.EntityLit(uid)))]
        case pst.ScopeIs(entity_type=kind):
            return [_leaf(pst.Is(var, kind, None))]
        case pst.ScopeIsIn(entity_type=kind, entity=pst.EntityUid() as uid):
            return [_leaf(pst.Is(var, kind, pst.EntityLit(uid)))]
        case _:  # any; a slot stands in templates only, which are not loaded
            return []


def _taken_apart(expr: "pst.Expr") -> Condition:
    from cedarpy import pst

    match expr:
        case pst.UnaryOp(op="not"):
            return Not(_taken_apart(expr.arg))
        case pst.BinaryOp(op="and"):
            return All((_taken_apart(expr.left), _taken_apart(expr.right)))
        case pst.BinaryOp(op="or"):
            return Any_((_taken_apart(expr.left), _taken_apart(expr.right)))
        case pst.IfThenElse():
            parts = (expr.cond, expr.then_expr, expr.else_expr)
            return If(*(_taken_apart(part) for part in parts))
        case _:
            return _leaf(expr)


def _leaf(expr: "pst.Expr") -> Leaf:
    return Leaf(expr, joined(_reads(expr)))


def _reads(expr: Any) -> Iterator[Reads]:
    """Of an expression and all within it; where it cannot be told, more rather than less."""
    from cedarpy import pst

    match expr:
        case pst.GetAttr(base=pst.Var(name="context"), attr=name):
            yield Reads(context=frozenset({name}))
        case pst.HasAttr(base=pst.Var(name="context"), attrs=names):
            yield Reads(context=frozenset(names[:1]))
        case pst.GetAttr(base=pst.Var(name="resource"), attr=name):
            yield Reads(resource=frozenset({name}))
        case pst.HasAttr(base=pst.Var(name="resource"), attrs=names):
            yield Reads(resource=frozenset(names[:1]))
        case pst.BinaryOp(op=op, left=pst.Var(name="resource"), right=pst.EntityLit()) if (
            op in _BY_ID
        ):
            yield Reads(pool=True)
        case pst.BinaryOp(op="in", left=pst.Var(name="resource"), right=right):
            yield from _lies_in(right)
        case pst.Is(base=pst.Var(name="resource"), in_expr=inner):
            if inner is not None:
                yield from _lies_in(inner)
        case pst.Is(base=pst.Var(name="principal"), in_expr=None):
            yield Reads(principal=1)
        case pst.Var(name=name):
            yield {
                "principal": Reads(principal=2),
                "action": Reads(action=True),
                "resource": Reads(place=True),
                "context": Reads(whole_context=True),
            }[name]
        case pst.EntityLit(value=uid):
            # Of all pools only the one that is asked about is there to be read.
            yield Reads(place=str(uid.type) == "Pool")
        case pst.Record(fields=fields):
            for value in fields.values():
                yield from _reads(value)
        case pst.Set(elements=elements):
            for value in elements:
                yield from _reads(value)
        case _:
            for value in _operands(expr):
                yield from _reads(value)


def _lies_in(right: Any) -> Iterator[Reads]:
    """Of `resource in …`: the pool's name matters only where what is named may be a pool."""
    from cedarpy import pst

    named = right.elements if isinstance(right, pst.Set) else (right,)
    for one in named:
        match one:
            case pst.EntityLit(value=uid):
                yield Reads(parents=True, pool=str(uid.type) == "Pool")
            case pst.GetAttr(base=pst.Var(name="context"), attr="dataHome"):
                yield Reads(parents=True, context=frozenset({"dataHome"}))
            case _:
                yield Reads(parents=True, pool=True)
                yield from _reads(one)


def _operands(expr: Any) -> tuple[Any, ...]:
    from cedarpy import pst

    match expr:
        case pst.UnaryOp():
            return (expr.arg,)
        case pst.BinaryOp():
            return expr.left, expr.right
        case pst.GetAttr() | pst.HasAttr() | pst.Like():
            return (expr.base,)
        case pst.Is():
            return (expr.base,) if expr.in_expr is None else (expr.base, expr.in_expr)
        case pst.IfThenElse():
            return expr.cond, expr.then_expr, expr.else_expr
        case _:  # a literal
            return ()


def applies(policy: "pst.Template", action: str) -> bool:
    """Whether its scope leaves that action in."""
    from cedarpy import pst

    scope = policy.action
    if isinstance(scope, pst.ScopeAny):
        return True
    named = (scope.entity,) if isinstance(scope, pst.ActionEq) else scope.entities
    names = {uid.id for uid in named}
    return action in names or ("adjust" in names and action in ADJUSTING)
