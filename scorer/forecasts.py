"""Scores forecasts made one step ahead: scaled error against single experts, and how often the
bound held.

The scale of a series is the mean absolute one-step change, over the same steps that are scored, so
that 1 is what "as before" costs.
"""

from collections import defaultdict


def score(forecasts, series):
    """For each family of series: each system's scaled error, and coverage where it gave bounds."""
    truth = {entry["series"]: entry for entry in series}
    sums = defaultdict(lambda: {"error": 0.0, "scale": 0.0, "held": 0, "bounds": 0, "steps": 0})
    for entry in forecasts:
        actual = truth[entry["series"]]
        total = sums[(actual["family"], entry["system"])]
        add(total, entry, actual["values"])
    families = defaultdict(dict)
    for (family, system), total in sums.items():
        families[family][system] = {
            "error": total["error"] / total["scale"],
            "coverage": total["held"] / total["bounds"] if total["bounds"] else None,
            "steps": total["steps"],
        }
    return {family: families[family] for family in sorted(families)}


def add(total, entry, values):
    """Counts one series. `forecast[i]` and `upper[i]` are for `values[first + i]`."""
    first, forecast = entry["first"], entry["forecast"]
    if first < 1 or first + len(forecast) != len(values):
        raise ValueError(f"{entry['system']} left out steps of {entry['series']}")
    for index, value in enumerate(forecast):
        actual = values[first + index]
        total["error"] += abs(actual - value)
        total["scale"] += abs(actual - values[first + index - 1])
        total["steps"] += 1
    for index, bound in enumerate(entry.get("upper") or []):
        total["bounds"] += 1
        total["held"] += values[first + index] <= bound
