"""What must be shown, and the controls that must fail.

The targets' numbers were decided before the run. A target whose cells were not run is neither
reached nor missed: it is missing, and the report says so.
"""

from dataclasses import dataclass

if __package__:
    from . import intervals
else:
    import intervals

SYSTEM = "homeostat"

# A detector counts as passing when, with 95 % confidence, it finds at least this share of what is
# bad and falsely calls at most that share of what is not.
CONTROL_RECALL = 0.8
CONTROL_FALSE = 0.05


@dataclass(frozen=True)
class Target:
    """One number that is held against a claim."""

    number: str
    claim: str
    must: float
    best: float
    unit: str
    value: object

    def judge(self, scores, predicted, measured):
        """The target with its value, and whether it was reached."""
        value, note = self.value(scores, predicted, measured)
        verdict = "missing" if value is None else "must" if value <= self.must else "missed"
        if value is not None and value <= self.best:
            verdict = "best"
        return {
            "number": self.number,
            "claim": self.claim,
            "must": None if self.must == float("inf") else self.must,
            "best": self.best,
            "unit": self.unit,
            "value": None if value in (None, float("inf")) else value,
            "reached": verdict,
            "note": note,
        }


def worst_false(prefix):
    """The largest upper end of the share of healthy lives that were called, over cells."""

    def value(scores, _predicted, _measured):
        found = {
            cell: score for (cell, system), score in scores.items() if system == SYSTEM and cell.startswith(prefix)
        }
        if not found:
            return None, "not run"
        worst = max(found, key=lambda cell: found[cell]["called"]["interval"][1])
        called = found[worst]["called"]
        return called["interval"][1], f"worst of {len(found)} cells: {worst}, {called['hits']} of {called['of']}"

    return value


def median(cell):
    """The median delay in a cell."""

    def value(scores, _predicted, _measured):
        score = scores.get((cell, SYSTEM))
        if score is None:
            return None, "not run"
        called = score["called"]
        note = f"found {called['hits']} of {called['of']}"
        return (float("inf") if score["median_s"] is None else score["median_s"]), note

    return value


def alarms(prefix, weeks):
    """The worst rate of false alarms in so many stream-weeks, over cells."""

    def value(scores, _predicted, _measured):
        found = {
            cell: score
            for (cell, system), score in scores.items()
            if system == SYSTEM and cell.startswith(prefix) and "per_week" in score
        }
        if not found:
            return None, "not run"
        worst = max(found, key=lambda cell: found[cell]["per_week"]["rate"])
        score = found[worst]
        high = weeks * score["per_week"]["interval"][1]
        note = f"worst of {len(found)} cells: {worst}, {score['calls']} alarms in {score['lives']} lives, upper end {high:.3g}"
        return weeks * score["per_week"]["rate"], note

    return value


def fleet(which):
    """One minus precision or recall over a fleet's deployments."""

    def value(scores, _predicted, _measured):
        bad, good = scores.get(("s7/bad", SYSTEM)), scores.get(("s7/good", SYSTEM))
        if bad is None or good is None:
            return None, "not run"
        found, wrong = bad["called"]["hits"], good["called"]["hits"]
        note = f"found {found} of {bad['lives']} bad ones, called {wrong} of {good['lives']} good ones"
        if which == "recall":
            return 1.0 - found / bad["lives"], note
        return (wrong / (found + wrong) if found + wrong else 1.0), note

    return value


def forecast_error(_scores, predicted, _measured):
    """The largest ratio of our error to the best single expert's."""
    ratios = {}
    for family, systems in predicted.items():
        others = [score["error"] for system, score in systems.items() if system.startswith("expert:")]
        if SYSTEM in systems and others:
            ratios[family] = systems[SYSTEM]["error"] / min(others)
    if not ratios:
        return None, "not run"
    worst = max(ratios, key=ratios.get)
    return ratios[worst], f"worst of {len(ratios)} families: {worst}"


def forecast_coverage(_scores, predicted, _measured):
    """The largest distance of the bound's coverage from 95 %, in percentage points."""
    off = {
        family: abs(100.0 * systems[SYSTEM]["coverage"] - 95.0)
        for family, systems in predicted.items()
        if systems.get(SYSTEM, {}).get("coverage") is not None
    }
    if not off:
        return None, "not run"
    worst = max(off, key=off.get)
    return off[worst], f"worst of {len(off)} families: {worst}"


def measured(name, note):
    """A number that the run measured itself."""

    def value(_scores, _predicted, measured_values):
        return (measured_values[name], note) if name in measured_values else (None, "not measured in this run")

    return value


TARGETS = [
    Target("1", "false rollback, nominal 1 %, worst cell, upper end of the 95 % interval", 0.015, 0.010, "share",
           worst_false("s1/healthy/")),
    Target("2", "errors 1 % ×2, 100 rps, 10 %: median delay", 400, 230, "s", median("s1/faulty/b/1/x2")),
    Target("2", "errors 1 % ×3: median delay", 150, 90, "s", median("s1/faulty/b/1/x3")),
    Target("2", "errors 1 % ×5: median delay", 60, 40, "s", median("s1/faulty/b/1/x5")),
    Target("3", "errors 0.1 % ×3, 100 rps, 10 %: median delay", 850, 500, "s", median("s1/faulty/a/1/x3")),
    Target("3", "errors 0.1 % ×5: median delay", 300, 190, "s", median("s1/faulty/a/1/x5")),
    Target("3", "errors 0.1 % ×10: median delay", 110, 70, "s", median("s1/faulty/a/1/x10")),
    Target("4", "latency, false rollback, upper end of the 95 % interval", 0.01, 0.01, "share",
           worst_false("s2/healthy")),
    Target("4", "latency ×1.25: median delay", 200, 100, "s", median("s2/faulty/x1.25")),
    Target("4", "latency ×1.5: median delay", 40, 30, "s", median("s2/faulty/x1.5")),
    Target("4", "3 % of requests ×8: median delay", 200, 100, "s", median("s2/faulty/tail3")),
    Target("10", "single stream: false alarms in 7 stream-weeks, worst cell", 1, 1, "alarms",
           alarms("s3/healthy/", 7)),
    Target("10", "single stream ×2: median delay", float("inf"), 400, "s", median("s3/faulty/x2")),
    Target("10", "single stream ×3: median delay", float("inf"), 180, "s", median("s3/faulty/x3")),
    Target("10", "single stream ×5: median delay", float("inf"), 100, "s", median("s3/faulty/x5")),
    Target("13", "falsely declared fixed at the boundary, upper end of the 95 % interval", 0.05, 0.05, "share",
           worst_false("s6/boundary")),
    Target("13", "was ×3: median time to proof", float("inf"), 150, "s", median("s6/fixed/x3")),
    Target("13", "was ×5: median time to proof", float("inf"), 70, "s", median("s6/fixed/x5")),
    Target("14", "forecast: error over the best single expert's, worst family", 1.05, 1.0, "ratio", forecast_error),
    Target("14", "forecast: distance of coverage from 95 %, worst family", 0.5, 0.5, "points", forecast_coverage),
    Target("16", "end to end: calls that were wrong, 1 − precision", 0.05, 0.02, "share", fleet("precision")),
    Target("16", "end to end: bad deployments not found, 1 − recall", 0.05, 0.01, "share", fleet("recall")),
    Target("15", "counts: time an observation, native", 50, 5, "µs", measured("counts_us", "in this run")),
    Target("15", "counts: state of a key", 4096, 1024, "bytes", measured("counts_bytes", "largest seen")),
    Target("15", "latency: state of a key", 4096, 4096, "bytes", measured("latency_bytes", "largest seen")),
]


def judge(scores, predicted, measured_values):
    """Every target."""
    return [target.judge(scores, predicted, measured_values) for target in TARGETS]


def passes(faulty, healthy):
    """Whether a detector found what is bad and left alone what is not. Each argument is a pair of
    how many lives were called and how many there are."""
    recall = intervals.binomial_interval(*faulty)[0]
    false = intervals.binomial_interval(*healthy)[1]
    return recall >= CONTROL_RECALL and false <= CONTROL_FALSE


def controls(described, scores, groups, labels, shuffled):
    """What must fail, and whether it did. Whatever passes makes the run fail."""
    pair = described["controls"]
    if (pair["faulty"], SYSTEM) not in scores:
        return [{"name": "controls", "sound": False, "text": "not run"}]
    found = []

    def note(name, sound, text):
        found.append({"name": name, "sound": sound, "text": text})

    def counts(system):
        return [tuple(scores[(pair[side], system)]["called"][key] for key in ("hits", "of")) for side in ("faulty", "healthy")]

    ours = counts(SYSTEM)
    note("the system itself passes, so that the controls could", passes(*ours), tell(*ours))
    for system, name in CONTROLS.items():
        seen = counts(system)
        note(name, not passes(*seen), tell(*seen))
    seen = shuffled_counts(pair, groups, labels, shuffled)
    note("shuffled labels", not passes(*seen), tell(*seen))
    found.extend(same(pair, groups))
    found.extend(missing(pair, scores, groups))
    return found


CONTROLS = {
    "control:random": "a detector that calls at random",
    "control:null": "a detector that never calls",
    "control:swapped": "the arms swapped",
    "control:zero": "no errors at all",
}


def tell(faulty, healthy):
    """Both shares in words."""
    return f"called {faulty[0]} of {faulty[1]} bad lives, {healthy[0]} of {healthy[1]} healthy ones"


def shuffled_counts(pair, groups, labels, shuffled):
    """How the system looks when the labels are dealt anew."""
    called = {}
    for side in ("faulty", "healthy"):
        for decision, _ in groups[(pair[side], SYSTEM)]:
            called[decision["life"]] = bool(decision["calls_s"])
    counts = []
    for side in ("faulty", "healthy"):
        lives = [life for life in called if shuffled[life]["cell"] == pair[side]]
        counts.append((sum(called[life] for life in lives), len(lives)))
    return counts


def same(pair, groups):
    """Duplicated and reordered observations must change no decision."""
    for side in ("faulty", "healthy"):
        plain = {decision["life"]: strip(decision) for decision, _ in groups[(pair[side], SYSTEM)]}
        doubled = {decision["life"]: strip(decision) for decision, _ in groups[(pair[side], "control:duplicated")]}
        differ = sum(plain[life] != doubled.get(life) for life in plain)
        yield {
            "name": f"every observation twice and out of order ({side} lives)",
            "sound": differ == 0,
            "text": f"{differ} of {len(plain)} decisions differ",
        }


def strip(decision):
    """A decision without the name of who decided."""
    return {key: value for key, value in decision.items() if key not in ("system", "life")}


def missing(pair, scores, groups):
    """A silent canary must not pass, and a blind judge must not call."""
    silent = scores[(pair["healthy"], "control:silent")]["healthy"]
    yield {
        "name": "a canary that falls silent must not pass",
        "sound": silent["hits"] == 0,
        "text": f"called healthy {silent['hits']} of {silent['of']}",
    }
    blind = scores[(pair["healthy"], "control:blind")]
    soon = blind["blind_by_s"] is not None and blind["blind_by_s"] <= pair["silent_from_s"] + 60
    # A call while everything still reports is an ordinary false alarm: target 1 counts those.
    times = [time for decision, _ in groups[(pair["healthy"], "control:blind")] for time in decision["calls_s"]]
    called = sum(time >= pair["silent_from_s"] for time in times)
    yield {
        "name": "when nothing reports the judge is blind within a minute and calls nothing bad",
        "sound": called == 0 and soon,
        "text": f"bad {called} of {blind['called']['of']} (and {len(times) - called} while all reported), "
        f"blind {blind['blind']['hits']}; "
        f"95 % blind by second {blind['blind_by_s']} (nothing reports from second {pair['silent_from_s']} on)",
    }
