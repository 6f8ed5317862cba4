"""Known values and small runs by hand."""

import json
import math
import tempfile
import unittest
from pathlib import Path

from scorer import forecasts, intervals, score, targets


class Intervals(unittest.TestCase):
    def check(self, seen, expected):
        for ours, known in zip(seen, expected, strict=True):
            self.assertAlmostEqual(ours, known, places=6)

    def test_clopper_pearson_is_as_in_r(self):
        # binom.test(x, n)$conf.int
        self.check(intervals.binomial_interval(0, 10), (0.0, 0.3084971))
        self.check(intervals.binomial_interval(5, 10), (0.1870860, 0.8129140))
        self.check(intervals.binomial_interval(10, 10), (0.6915029, 1.0))
        self.check(intervals.binomial_interval(1, 100), (0.0002531460, 0.0544593853))
        self.check(intervals.binomial_interval(0, 0), (0.0, 1.0))

    def test_no_hits_have_the_closed_form(self):
        for trials in (1, 7, 20_000):
            self.check(intervals.binomial_interval(0, trials), (0.0, 1.0 - 0.025 ** (1.0 / trials)))

    def test_garwood_is_as_in_r(self):
        # poisson.test(x)$conf.int
        self.check(intervals.poisson_interval(0, 1.0), (0.0, 3.6888795))
        self.check(intervals.poisson_interval(10, 1.0), (4.7953890, 18.3903560))
        self.check(intervals.poisson_interval(10, 4.0), (4.7953890 / 4, 18.3903560 / 4))

    def test_the_incomplete_beta_function_is_known(self):
        self.assertAlmostEqual(intervals.beta_share(1, 1, 0.3), 0.3, places=12)
        self.assertAlmostEqual(intervals.beta_share(2, 3, 0.4), 0.5248, places=12)


def decision(life, calls, system="homeostat", **more):
    return {"life": life, "system": system, "calls_s": calls} | more


class Cells(unittest.TestCase):
    cell = {"name": "x", "lives": 4, "onset_s": 100.0}

    def score(self, *calls):
        members = [(decision(str(n), times), {"cell": "x"}) for n, times in enumerate(calls)]
        return score.score_cell(self.cell, members)

    def test_a_call_before_the_fault_is_no_detection(self):
        seen = self.score([50.0, 150.0], [160.0], [], [130.0])
        self.assertEqual(seen["called"]["hits"], 2)
        self.assertEqual(seen["early"], 1)
        self.assertEqual(seen["median_s"], 60.0)
        self.assertIsNone(seen["p95_s"])

    def test_a_life_nobody_spoke_of_is_an_error(self):
        with self.assertRaises(score.Broken):
            self.score([], [])

    def test_delays_count_lives_without_a_call_as_infinite(self):
        self.assertEqual(score.percentile([10.0, math.inf, 20.0, math.inf], 0.5), 20.0)
        self.assertIsNone(score.percentile([10.0, math.inf, math.inf], 0.5))
        self.assertEqual(score.percentile([float(n) for n in range(1, 101)], 0.95), 95.0)

    def test_a_score_without_its_twin_is_void(self):
        cells = [{"name": "f", "lives": 1, "onset_s": 0.0, "twin": "h"}, {"name": "h", "lives": 1}]
        groups = {("f", "homeostat"): [(decision("1", []), {"cell": "f"})]}
        with self.assertRaises(score.Broken):
            score.score_cells(cells, groups)

    def test_two_decisions_about_one_life_are_an_error(self):
        with self.assertRaises(score.Broken):
            score.group([decision("1", []), decision("1", [])], {"1": {"cell": "x"}})


class Forecasts(unittest.TestCase):
    series = [{"series": "s", "family": "f", "values": [0.0, 1.0, 3.0, 2.0]}]

    def test_errors_are_scaled_by_what_as_before_costs(self):
        ours = {"series": "s", "system": "a", "first": 1, "forecast": [1.0, 1.0, 3.0], "upper": [1.0, 2.9, 2.0]}
        naive = {"series": "s", "system": "b", "first": 1, "forecast": [0.0, 1.0, 3.0]}
        seen = forecasts.score([ours, naive], self.series)["f"]
        self.assertAlmostEqual(seen["b"]["error"], 1.0)
        self.assertAlmostEqual(seen["a"]["error"], 3.0 / 4.0)
        self.assertAlmostEqual(seen["a"]["coverage"], 2.0 / 3.0)

    def test_leaving_out_steps_is_an_error(self):
        with self.assertRaises(ValueError):
            forecasts.score([{"series": "s", "system": "a", "first": 2, "forecast": [1.0]}], self.series)


class Controls(unittest.TestCase):
    def test_only_a_real_detector_passes(self):
        self.assertTrue(targets.passes((100, 100), (0, 100)))
        self.assertFalse(targets.passes((50, 100), (50, 100)))
        self.assertFalse(targets.passes((0, 100), (0, 100)))
        self.assertFalse(targets.passes((100, 100), (100, 100)))

    def test_targets_tell_reached_from_missed_and_missing(self):
        scores = {("s1/faulty/b/1/x2", "homeostat"): {"median_s": 300.0, "called": {"hits": 1, "of": 1}}}
        by_claim = {judged["claim"]: judged for judged in targets.judge(scores, {}, {"counts_us": 4.0})}
        self.assertEqual(by_claim["errors 1 % ×2, 100 rps, 10 %: median delay"]["reached"], "must")
        self.assertEqual(by_claim["errors 1 % ×3: median delay"]["reached"], "missing")
        self.assertEqual(by_claim["counts: time an observation, native"]["reached"], "best")
        scores[("s1/faulty/b/1/x2", "homeostat")]["median_s"] = None
        self.assertEqual(targets.judge(scores, {}, {})[1]["reached"], "missed")


class Runs(unittest.TestCase):
    systems = ["homeostat", *targets.CONTROLS, "control:duplicated", "control:silent", "control:blind"]

    def write(self, folder, change=lambda decision: decision):
        lives = 100
        labels, decisions = [], []
        for side in ("faulty", "healthy"):
            for number in range(lives):
                life = f"{side}{number}"
                labels.append({"life": life, "cell": side})
                for system in self.systems:
                    called = side == "faulty" and system in ("homeostat", "control:duplicated")
                    made = decision(life, [30.0] if called else [], system)
                    if system == "control:blind":
                        made["blind_s"] = 640.0
                    decisions.append(change(made))
        described = {
            "frozen": "none",
            "cells": [
                {"name": "faulty", "lives": lives, "onset_s": 0.0, "twin": "healthy"},
                {"name": "healthy", "lives": lives, "onset_s": 0.0},
            ],
            "controls": {"faulty": "faulty", "healthy": "healthy", "silent_from_s": 600},
        }
        (folder / "cells.json").write_text(json.dumps(described), encoding="utf-8")
        for name, entries in (("labels", labels), ("decisions", decisions)):
            text = "".join(json.dumps(entry) + "\n" for entry in entries)
            (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")

    def unsound(self, change=lambda decision: decision):
        with tempfile.TemporaryDirectory() as name:
            self.write(Path(name), change)
            return [control["name"] for control in score.run(name)["controls"] if not control["sound"]]

    def test_a_sound_run_has_no_failed_control(self):
        self.assertEqual(self.unsound(), [])

    def test_each_control_notices_when_it_passes(self):
        def calls(system):
            def change(made):
                if made["system"] == system and made["life"].startswith("faulty"):
                    made["calls_s"] = [30.0]
                return made

            return change

        for system, name in targets.CONTROLS.items():
            self.assertEqual(self.unsound(calls(system)), [name])

    def test_a_judge_that_counts_duplicates_is_found(self):
        def change(made):
            if made["system"] == "control:duplicated" and made["calls_s"]:
                made["calls_s"] = [15.0]
            return made

        self.assertEqual(self.unsound(change), ["every observation twice and out of order (faulty lives)"])

    def test_a_silent_canary_that_passes_and_a_blind_judge_that_calls_are_found(self):
        def passes(made):
            return made | ({"healthy_s": 900.0} if made["system"] == "control:silent" else {})

        def calls(made):
            return made | ({"calls_s": [700.0]} if made["system"] == "control:blind" else {})

        self.assertEqual(len(self.unsound(passes)), 1)
        self.assertEqual(len(self.unsound(calls)), 1)

    def test_a_false_alarm_while_everything_reports_is_not_of_the_blind(self):
        def calls(made):
            early = made["system"] == "control:blind" and made["life"] == "healthy0"
            return made | ({"calls_s": [345.0]} if early else {})

        self.assertEqual(self.unsound(calls), [])

    def test_a_system_that_finds_nothing_makes_the_controls_worthless(self):
        self.assertEqual(len(self.unsound(lambda made: made | {"calls_s": []})), 1)


if __name__ == "__main__":
    unittest.main()
