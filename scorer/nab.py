#!/usr/bin/env python3
"""Scores anomaly scores by the rules of the Numenta Anomaly Benchmark (NAB).

What it does: takes a folder with NAB's series and windows, and for each series a file of anomaly
scores (or a command that makes one); finds the threshold that is best for all of them together,
as NAB does, or takes a given one; prints the score of each profile.

What it does not do: know how the scores were made. It shares no code with what it scores.

The rules, from NAB's published description (Lavin and Ahmad 2015, arXiv 1510.03336):
  * the first 15 % of a series, at most of 5,000 rows, are not scored;
  * a row whose anomaly score reaches the threshold is a detection; the threshold is one for all
    series of a profile;
  * of the detections in a window only the best one counts: by its relative position y, from -1 at
    the window's start to almost 0 at its end, it gains S(y) / S(-1), S(y) = 2 / (1 + exp(5 y)) - 1;
  * a detection outside costs, by its distance y from the window before in widths of it,
    fp * S(y), which is at most fp from y = 3 on, or where there is no window before;
  * a window with no detection costs fn;
  * 0 is a detector that never detects, 100 one that detects each window at its start and no more.
"""

import argparse
import csv
import json
import math
import shlex
import subprocess
import sys
from collections import namedtuple
from datetime import datetime
from pathlib import Path

Profile = namedtuple("Profile", "hit false_alarm miss")

PROFILES = {
    "standard": Profile(1.0, 0.11, 1.0),
    "reward_low_FP_rate": Profile(1.0, 0.22, 1.0),
    "reward_low_FN_rate": Profile(1.0, 0.11, 2.0),
}

# Of a series, this share is for learning, but of no more than so many rows.
PROBATION_SHARE = 0.15
PROBATION_ROWS = 5000

# A detection so many window widths after a window is as wrong as one that is nowhere near.
FAR = 3.0

# Operations: machines and services, as opposed to tweets, taxis and roads.
OPS_CATEGORY = "realAWSCloudwatch"
OPS_FILES = (
    "realKnownCause/ec2_request_latency_system_failure.csv",
    "realKnownCause/cpu_utilization_asg_misconfiguration.csv",
)

# One row that counts: its anomaly score, the window it is in (or None) and S of its position.
Row = namedtuple("Row", "score window worth")

# A series: its rows that count, and how many windows there are to be found in them.
Series = namedtuple("Series", "name rows windows")

Result = namedtuple("Result", "threshold raw normal hits windows false_alarms")


def worth(position):
    """S: near 1 at a window's start (-1), 0 at its end (0), near -1 beyond."""
    if position >= FAR:
        return -1.0
    return 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


def probation(count):
    """How many rows of a series are not scored."""
    return int(min(math.floor(PROBATION_SHARE * count), PROBATION_SHARE * PROBATION_ROWS))


def series_of(name, times, scores, windows):
    """The rows that count. `windows` are pairs of the first and last time, in order."""
    if len(times) != len(scores):
        raise ValueError(f"{name}: {len(scores)} scores for {len(times)} rows")
    bounds = [window_bounds(name, times, window) for window in windows]
    rows, found, before = [], set(), None
    ahead = list(bounds)
    for index, score in enumerate(scores):
        while ahead and index > ahead[0][1]:
            before = ahead.pop(0)
        inside = bool(ahead) and index >= ahead[0][0]
        if index < probation(len(times)):
            continue
        if inside:
            first, last = ahead[0]
            window = len(bounds) - len(ahead)
            found.add(window)
            rows.append(Row(score, window, worth((index - last - 1) / (last - first + 1))))
        else:
            rows.append(Row(score, None, worth(distance(index, before))))
    return Series(name, rows, len(found))


def window_bounds(name, times, window):
    """The first and the last row of a window, both within it."""
    try:
        first = times.index(window[0])
        return first, times.index(window[1], first)
    except ValueError:
        raise ValueError(f"{name}: the window {window} does not begin and end with rows") from None


def distance(index, before):
    """How many widths of the window before a row lies after it."""
    if before is None:
        return FAR
    first, last = before
    return (index - last) / max(last - first, 1)


def sweep(corpus, profile):
    """Each threshold with what it is worth, from above every score downwards."""
    rows = [(row, place) for place, series in enumerate(corpus) for row in series.rows]
    rows.sort(key=lambda item: -item[0].score)
    windows = sum(series.windows for series in corpus)
    best, raw, false_alarms = {}, -profile.miss * windows, 0
    yield math.inf, raw, 0, 0
    for at, (row, place) in enumerate(rows):
        if row.window is None:
            false_alarms += 1
            raw += profile.false_alarm * row.worth
        else:
            key = (place, row.window)
            gain = profile.hit * row.worth / worth(-1.0)
            if key not in best:
                best[key] = -profile.miss
            if gain > best[key]:
                raw += gain - best[key]
                best[key] = gain
        if at + 1 == len(rows) or rows[at + 1][0].score != row.score:
            yield row.score, raw, len(best), false_alarms


def normal(raw, windows, profile):
    """0 for no detection at all, 100 for perfection."""
    worst = -profile.miss * windows
    return 100.0 * (raw - worst) / (profile.hit * windows - worst) if windows else 0.0


def best_result(corpus, profile):
    """At the threshold that is best for all series together."""
    windows = sum(series.windows for series in corpus)
    threshold, raw, hits, alarms = max(sweep(corpus, profile), key=lambda point: point[1])
    return Result(threshold, raw, normal(raw, windows, profile), hits, windows, alarms)


def result_at(corpus, profile, threshold):
    """At a given threshold."""
    windows = sum(series.windows for series in corpus)
    last = None
    for point in sweep(corpus, profile):
        if point[0] < threshold:
            break
        last = point
    _, raw, hits, alarms = last
    return Result(threshold, raw, normal(raw, windows, profile), hits, windows, alarms)


def time_of(text):
    """A time of NAB, with or without fractions of a second."""
    return datetime.fromisoformat(text.strip())


def read_scores(lines):
    """Times and scores of a CSV with the columns `timestamp` and `anomaly_score`."""
    rows = list(csv.DictReader(lines))
    return [time_of(row["timestamp"]) for row in rows], [float(row["anomaly_score"]) for row in rows]


def score_lines(path, options):
    """The scored rows of a series, from a folder or from a command."""
    if options.scores:
        return (Path(options.scores) / path).read_text().splitlines()
    command = shlex.split(options.detect) + [str(options.nab / "data" / path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{shlex.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout.splitlines()


def windows_of(nab):
    """NAB's windows, wherever the folder has them."""
    for place in ("windows.json", "labels/combined_windows.json"):
        if (nab / place).is_file():
            return json.loads((nab / place).read_text())
    raise SystemExit(f"{nab} has neither windows.json nor labels/combined_windows.json")


def read_corpus(options):
    """Every series of the folder, in the order of names."""
    windows = windows_of(options.nab)
    paths = sorted(str(path.relative_to(options.nab / "data")) for path in options.nab.glob("data/*/*.csv"))
    if not paths:
        raise SystemExit(f"{options.nab}/data has no series")
    corpus = []
    for path in paths:
        times, scores = read_scores(score_lines(path, options))
        pairs = [(time_of(first), time_of(last)) for first, last in windows.get(path, [])]
        corpus.append(series_of(path, times, scores, sorted(pairs)))
    return corpus


def is_ops(name):
    """Whether a series is of machines or services."""
    return name.startswith(OPS_CATEGORY + "/") or name in OPS_FILES


def halves(corpus):
    """The series with odd places in the order of names, counted from 1, and the others."""
    return corpus[0::2], corpus[1::2]


def line(label, result):
    """One row of the table."""
    threshold = "never" if math.isinf(result.threshold) else f"{result.threshold:.4f}"
    return (
        f"| {label} | {result.normal:.1f} | {result.hits} of {result.windows} "
        f"| {result.false_alarms} | {threshold} |"
    )


HEADING = "| what | score | windows found | rows outside | threshold |\n|---|---|---|---|---|"


def parts(corpus):
    """The whole corpus, operations, and each category."""
    yield "all", corpus
    yield "operations", [series for series in corpus if is_ops(series.name)]
    for category in sorted({series.name.split("/")[0] for series in corpus}):
        yield category, [series for series in corpus if series.name.startswith(category + "/")]


def report(corpus, threshold):
    """The tables, as Markdown."""
    text = []
    for name, profile in PROFILES.items():
        bound = best_result(corpus, profile).threshold if threshold is None else threshold
        text += [f"\nProfile {name}:\n", HEADING]
        text += [line(label, result_at(part, profile, bound)) for label, part in parts(corpus) if part]
    return "\n".join(text)


def held_out(corpus):
    """The threshold of one half, on the other."""
    tuned, kept = halves(corpus)
    text = ["\nHalves: the threshold is the best one of the odd series, and is used on both:\n", HEADING]
    for name, profile in PROFILES.items():
        bound = best_result(tuned, profile).threshold
        text.append(line(f"odd, {name}", result_at(tuned, profile, bound)))
        text.append(line(f"even, {name}", result_at(kept, profile, bound)))
    return "\n".join(text)


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("nab", type=Path, help="a folder with data/<category>/<series>.csv and windows.json")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--scores", help="a folder with <category>/<series>.csv with timestamp and anomaly_score")
    source.add_argument("--detect", help="a command that takes a series and prints such a file")
    parser.add_argument("--threshold", type=float, help="use this one instead of the best one")
    parser.add_argument("--half", choices=["odd", "even"], help="only these series, counted by name from 1")
    parser.add_argument("--halves", action="store_true", help="also the odd half's threshold on the even half")
    return parser.parse_args()


def main():
    """Reads, scores, prints."""
    options = arguments()
    corpus = read_corpus(options)
    if options.half:
        corpus = halves(corpus)[0 if options.half == "odd" else 1]
    sys.stdout.write(f"{len(corpus)} series, {sum(series.windows for series in corpus)} windows\n")
    sys.stdout.write(report(corpus, options.threshold) + "\n")
    if options.halves:
        sys.stdout.write(held_out(corpus) + "\n")


if __name__ == "__main__":
    main()
