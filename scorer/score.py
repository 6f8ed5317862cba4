"""Scores a run of the laboratory.

    python3 score.py FOLDER

FOLDER holds what the run wrote: `cells.json` (what is true of each cell, and which cell is its
healthy twin), `labels.jsonl` (which life belongs to which cell), `decisions.jsonl` (what each system
said of each life, under a name that tells nothing), and optionally `series.jsonl` and
`forecasts.jsonl`. Prints the scores as JSON.

Rules: a life that a system said nothing about is an error, not a success. A call before the fault
began is a false one and no detection. A delay counts all lives, those without a call as infinitely
long, so that a median exists only where half of all lives were called. Every score of a faulty cell
stands beside the one of its healthy twin.
"""

import json
import math
import random
import sys
from collections import defaultdict
from pathlib import Path

if __package__:
    from . import forecasts, intervals, targets
else:
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import forecasts
    import intervals
    import targets

# The labels are shuffled with this; any number does.
SHUFFLE = 20_240_607


class Broken(Exception):
    """The run's files do not fit each other."""


def lines(path):
    """The objects of a file of JSON lines."""
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield json.loads(line)
            except json.JSONDecodeError as error:
                raise Broken(f"{path}:{number}: {error}") from error


def read_labels(path):
    """From a life to its label."""
    labels = {}
    for label in lines(path):
        if label["life"] in labels:
            raise Broken(f"life {label['life']} is there twice")
        labels[label["life"]] = label
    return labels


def group(decisions, labels):
    """From (cell, system) to the decisions of its lives, each with its label."""
    groups = defaultdict(list)
    seen = set()
    for decision in decisions:
        label = labels.get(decision["life"])
        if label is None:
            raise Broken(f"a decision about life {decision['life']}, which has no label")
        key = (decision["system"], decision["life"])
        if key in seen:
            raise Broken(f"{decision['system']} decided twice about life {decision['life']}")
        seen.add(key)
        groups[(label["cell"], decision["system"])].append((decision, label))
    return groups


def percentile(delays, share):
    """The smallest delay that at least this share of all lives has; None where none is finite."""
    if not delays:
        return None
    index = max(math.ceil(share * len(delays)) - 1, 0)
    value = sorted(delays)[index]
    return value if math.isfinite(value) else None


def score_cell(cell, group):
    """One system in one cell."""
    lives = len(group)
    if cell.get("lives") is not None and lives != cell["lives"]:
        raise Broken(f"{lives} decisions in {cell['name']}, which has {cell['lives']} lives")
    delays, early, calls = [], 0, 0
    for decision, label in group:
        onset = label.get("onset_s", cell.get("onset_s", 0.0))
        times = decision["calls_s"]
        calls += len(times)
        before = [time for time in times if time < onset]
        early += bool(before)
        after = [time for time in times if time >= onset]
        found = after and not before
        delays.append(after[0] - onset if found else math.inf)
    score = {
        "cell": cell["name"],
        "lives": lives,
        "calls": calls,
        "called": proportion(sum(math.isfinite(delay) for delay in delays), lives),
        "early": early,
        "median_s": percentile(delays, 0.5),
        "p95_s": percentile(delays, 0.95),
        "healthy": proportion(sum(d.get("healthy_s") is not None for d, _ in group), lives),
        "blind": proportion(sum(d.get("blind_s") is not None for d, _ in group), lives),
        "blind_by_s": percentile([math.inf if d.get("blind_s") is None else d["blind_s"] for d, _ in group], 0.95),
    }
    if cell.get("weeks"):
        weeks = cell["weeks"] * lives
        score["per_week"] = {"rate": calls / weeks, "interval": intervals.poisson_interval(calls, weeks)}
    return score


def proportion(hits, trials):
    """A share with its exact interval."""
    return {"hits": hits, "of": trials, "share": hits / trials, "interval": intervals.binomial_interval(hits, trials)}


def score_cells(cells, groups):
    """Every system in every cell, each faulty cell with its twin beside it."""
    by_name = {cell["name"]: cell for cell in cells}
    scores = {}
    for (name, system), members in groups.items():
        scores[(name, system)] = score_cell(by_name[name], members) | {"system": system}
    for (name, system), score in scores.items():
        twin = by_name[name].get("twin")
        if twin is None:
            continue
        other = scores.get((twin, system))
        if other is None:
            raise Broken(f"{system} has a score in {name} and none in its twin {twin}: such a score is void")
        score["twin"] = {"cell": twin, "called": other["called"]}
    return scores


def shuffled(labels, cells):
    """The same labels dealt anew among a faulty cell's lives and its twin's."""
    pairs = {cell["name"]: cell["twin"] for cell in cells if cell.get("twin")}
    dealt = dict(labels)
    shuffle = random.Random(SHUFFLE)
    for name, twin in sorted(pairs.items()):
        lives = sorted(life for life, label in dealt.items() if label["cell"] in (name, twin))
        given = [dealt[life] for life in lives]
        shuffle.shuffle(given)
        for life, label in zip(lives, given, strict=True):
            dealt[life] = label
    return dealt


def run(folder):
    """All scores of a run."""
    folder = Path(folder)
    with open(folder / "cells.json", encoding="utf-8") as file:
        described = json.load(file)
    cells, labels = described["cells"], read_labels(folder / "labels.jsonl")
    groups = group(lines(folder / "decisions.jsonl"), labels)
    scores = score_cells(cells, groups)
    predicted = {}
    if (folder / "forecasts.jsonl").exists():
        predicted = forecasts.score(lines(folder / "forecasts.jsonl"), lines(folder / "series.jsonl"))
    controls = targets.controls(described, scores, groups, labels, shuffled(labels, cells_of(described)))
    return {
        "frozen": described["frozen"],
        "cells": [scores[key] for key in sorted(scores)],
        "forecasts": predicted,
        "targets": targets.judge(scores, predicted, described.get("measured", {})),
        "controls": controls,
    }


def cells_of(described):
    """The cells whose labels are shuffled: the pair that the controls are about."""
    pair = described["controls"]
    return [{"name": pair["faulty"], "twin": pair["healthy"]}]


def main(arguments):
    """Prints the scores of one folder."""
    if len(arguments) != 2:
        print("usage: score.py FOLDER", file=sys.stderr)
        return 2
    try:
        json.dump(run(arguments[1]), sys.stdout, indent=1)
    except Broken as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
