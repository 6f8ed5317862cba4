"""Exact intervals for counts.

What this does not do: approximate. The ends are found by bisection on the exact distributions
until they no longer move.
"""

import math

# Bisection of [0, 1] to the last bit of a double.
STEPS = 200


def binomial_interval(hits, trials, confidence=0.95):
    """Clopper and Pearson's interval for a probability: (low, high)."""
    if trials <= 0:
        return (0.0, 1.0)
    tail = (1.0 - confidence) / 2.0
    low = 0.0 if hits == 0 else _solve(lambda p: beta_share(hits, trials - hits + 1, p), tail)
    high = 1.0 if hits == trials else _solve(lambda p: beta_share(hits + 1, trials - hits, p), 1.0 - tail)
    return (low, high)


def poisson_interval(events, exposure, confidence=0.95):
    """Garwood's interval for events per exposure: (low, high)."""
    tail = (1.0 - confidence) / 2.0
    ceiling = events + 20.0 * math.sqrt(events + 1.0) + 20.0
    low = 0.0
    if events > 0:
        low = ceiling * _solve(lambda share: gamma_share(events, share * ceiling), tail)
    high = ceiling * _solve(lambda share: gamma_share(events + 1, share * ceiling), 1.0 - tail)
    return (low / exposure, high / exposure)


def _solve(rising, target):
    """Where a function that rises on [0, 1] reaches the target."""
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2.0
        if middle in (low, high):
            break
        if rising(middle) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def beta_share(a, b, x):
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    log_front += a * math.log(x) + b * math.log1p(-x)
    if x < (a + 1.0) / (a + b + 2.0):
        return math.exp(log_front) * _beta_fraction(a, b, x) / a
    return 1.0 - math.exp(log_front) * _beta_fraction(b, a, 1.0 - x) / b


def _beta_fraction(a, b, x):
    """Lentz's evaluation of the continued fraction of the incomplete beta function."""
    tiny = 1e-300
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    result = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        for step in (even, odd):
            d = 1.0 + step * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            c = 1.0 + step / c
            c = c if abs(c) > tiny else tiny
            result *= d * c
        if abs(d * c - 1.0) < 1e-15:
            return result
    raise ArithmeticError(f"no convergence at a={a}, b={b}, x={x}")


def gamma_share(shape, x):
    """P(Poisson(x) >= shape) for a whole shape: the regularised lower incomplete gamma function."""
    if x <= 0.0:
        return 0.0
    below = 0.0
    for k in range(shape):
        below += math.exp(k * math.log(x) - x - math.lgamma(k + 1))
    return 1.0 - below
