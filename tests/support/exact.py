"""What is the exact optimum of a linear program, found in fractions and by nobody's solver?

The textbook's tableau with Bland's rule (it cannot cycle), for maximise c.x subject to A x <= b,
x >= 0 with b >= 0, so that x = 0 is a start. Slow and sure: some tens of columns.
"""

from collections.abc import Sequence
from fractions import Fraction


def maximise(
    c: Sequence[float], rows: Sequence[Sequence[float]], b: Sequence[float]
) -> tuple[Fraction, list[Fraction], list[Fraction]]:
    """(value, x, dual price of each row); ValueError if a b is negative or it is unbounded."""
    if min(b, default=0.0) < 0:
        raise ValueError("a right-hand side is negative: x = 0 is no start")
    count, slack = len(c), len(rows)
    table = [
        [Fraction(a) for a in row]
        + [Fraction(int(i == j)) for j in range(slack)]
        + [Fraction(limit)]
        for i, (row, limit) in enumerate(zip(rows, b, strict=True))
    ]
    price = [-Fraction(each) for each in c] + [Fraction(0)] * (slack + 1)
    basis = [count + i for i in range(slack)]
    while True:
        enter = next((j for j in range(count + slack) if price[j] < 0), None)
        if enter is None:
            break
        ratios = [
            (row[-1] / row[enter], basis[i], i) for i, row in enumerate(table) if row[enter] > 0
        ]
        if not ratios:
            raise ValueError("unbounded")
        place = min(ratios)[2]
        pivot = table[place][enter]
        table[place] = [value / pivot for value in table[place]]
        for i, row in enumerate(table):
            if i != place and row[enter]:
                table[i] = _less(row, row[enter], table[place])
        price = _less(price, price[enter], table[place])
        basis[place] = enter
    x = [Fraction(0)] * (count + slack)
    for i, column in enumerate(basis):
        x[column] = table[i][-1]
    return price[-1], x[:count], price[count : count + slack]


def _less(row: list[Fraction], factor: Fraction, other: list[Fraction]) -> list[Fraction]:
    return [mine - factor * theirs for mine, theirs in zip(row, other, strict=True)]
