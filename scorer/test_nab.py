"""Known answers of the NAB scorer."""

import io
import math
import unittest
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

import nab

STANDARD = nab.PROFILES["standard"]


def corpus_of(scores, windows, name="a/b.csv"):
    """One series whose times are its row numbers."""
    return [nab.series_of(name, list(range(len(scores))), scores, windows)]


def scored(rows, detections):
    """A series of so many rows with the score 1 at the detections, else 0."""
    return [1.0 if row in detections else 0.0 for row in range(rows)]


class Worth(unittest.TestCase):
    def test_it_is_what_the_description_says_at_its_points(self):
        for position, expected in [(-1.0, 0.98661), (-0.5, 0.84828), (0.0, 0.0), (1.0, -0.98661)]:
            self.assertAlmostEqual(nab.worth(position), expected, places=5)
        self.assertEqual(nab.worth(3.0), -1.0)
        self.assertEqual(nab.worth(100.0), -1.0)


class Probation(unittest.TestCase):
    def test_it_is_a_share_with_a_bound(self):
        for rows, expected in [(0, 0), (10, 1), (4032, 604), (5000, 750), (22695, 750)]:
            self.assertEqual(nab.probation(rows), expected)

    def test_detections_in_it_do_not_count(self):
        corpus = corpus_of(scored(100, {0, 5, 14}), [(50, 59)])
        self.assertEqual(nab.result_at(corpus, STANDARD, 0.5).false_alarms, 0)

    def test_a_window_within_it_is_not_missed(self):
        self.assertEqual(corpus_of(scored(100, set()), [(2, 8)])[0].windows, 0)
        self.assertEqual(corpus_of(scored(100, set()), [(2, 20)])[0].windows, 1)


class Normal(unittest.TestCase):
    def test_a_detector_that_never_detects_has_0(self):
        corpus = corpus_of(scored(100, set()), [(50, 59)])
        for profile in nab.PROFILES.values():
            self.assertAlmostEqual(nab.result_at(corpus, profile, 0.5).normal, 0.0)

    def test_a_perfect_detector_has_100(self):
        corpus = corpus_of(scored(200, {50, 120}), [(50, 59), (120, 139)])
        for profile in nab.PROFILES.values():
            self.assertAlmostEqual(nab.best_result(corpus, profile).normal, 100.0)

    def test_one_of_two_windows_found_at_its_start_is_half(self):
        corpus = corpus_of(scored(200, {50}), [(50, 59), (120, 139)])
        for profile in nab.PROFILES.values():
            self.assertAlmostEqual(nab.result_at(corpus, profile, 0.5).normal, 50.0)

    def test_no_windows_is_no_score(self):
        self.assertEqual(nab.result_at(corpus_of(scored(100, {50}), []), STANDARD, 0.5).normal, 0.0)


class ByHand(unittest.TestCase):
    def test_a_late_detection_gains_less(self):
        # Row 54 of the window 50 to 59: position (54 - 59 - 1) / 10 = -0.6.
        corpus = corpus_of(scored(100, {54}), [(50, 59)])
        gain = (2 / (1 + math.exp(-3.0)) - 1) / (2 / (1 + math.exp(-5.0)) - 1)
        result = nab.result_at(corpus, STANDARD, 0.5)
        self.assertAlmostEqual(result.raw, gain)
        self.assertAlmostEqual(result.normal, 100 * (gain + 1) / 2)

    def test_only_the_best_detection_of_a_window_counts(self):
        once = nab.result_at(corpus_of(scored(100, {52}), [(50, 59)]), STANDARD, 0.5)
        often = nab.result_at(corpus_of(scored(100, set(range(52, 60))), [(50, 59)]), STANDARD, 0.5)
        self.assertEqual(once.raw, often.raw)

    def test_a_false_alarm_before_any_window_costs_all_of_its_weight(self):
        corpus = corpus_of(scored(100, {20, 50}), [(50, 59)])
        for profile in nab.PROFILES.values():
            self.assertAlmostEqual(nab.result_at(corpus, profile, 0.5).raw, 1.0 - profile.false_alarm)

    def test_a_false_alarm_soon_after_a_window_costs_less(self):
        # Row 61 after the window 50 to 59: distance 2 / 9.
        corpus = corpus_of(scored(100, {50, 61}), [(50, 59)])
        cost = 0.11 * (2 / (1 + math.exp(5 * 2 / 9)) - 1)
        self.assertAlmostEqual(nab.result_at(corpus, STANDARD, 0.5).raw, 1.0 + cost)
        # Row 86 is three widths after: all of it.
        corpus = corpus_of(scored(100, {50, 86}), [(50, 59)])
        self.assertAlmostEqual(nab.result_at(corpus, STANDARD, 0.5).raw, 1.0 - 0.11)

    def test_a_miss_costs_twice_where_misses_are_to_be_few(self):
        corpus = corpus_of(scored(100, {20}), [(50, 59)])
        result = nab.result_at(corpus, nab.PROFILES["reward_low_FN_rate"], 0.5)
        self.assertAlmostEqual(result.raw, -2.0 - 0.11)
        self.assertAlmostEqual(result.normal, 100 * (-0.11) / 3)


class Threshold(unittest.TestCase):
    def test_the_best_one_is_for_all_series_together(self):
        first = corpus_of([0.0] * 50 + [0.9] + [0.0] * 49, [(50, 59)], "a/1.csv")
        second = corpus_of([0.0] * 30 + [0.5] + [0.0] * 19 + [0.4] + [0.0] * 49, [(50, 59)], "a/2.csv")
        # At 0.4 both windows are found at the price of one false alarm.
        result = nab.best_result(first + second, STANDARD)
        self.assertEqual((result.threshold, result.hits, result.false_alarms), (0.4, 2, 1))
        self.assertAlmostEqual(result.raw, 2.0 - 0.11)

    def test_equal_scores_fall_together(self):
        corpus = corpus_of([0.5] * 100, [(50, 59)])
        thresholds = [point[0] for point in nab.sweep(corpus, STANDARD)]
        self.assertEqual(thresholds, [math.inf, 0.5])

    def test_a_given_one_between_two_scores_takes_the_rows_above_it(self):
        corpus = corpus_of([0.0] * 20 + [0.3] + [0.0] * 29 + [0.8] + [0.0] * 49, [(50, 59)])
        self.assertEqual(nab.result_at(corpus, STANDARD, 0.5).false_alarms, 0)
        self.assertEqual(nab.result_at(corpus, STANDARD, 0.3).false_alarms, 1)

    def test_never_detecting_is_a_choice(self):
        corpus = corpus_of([1.0] * 1000, [(990, 999)])
        result = nab.best_result(corpus, STANDARD)
        self.assertTrue(math.isinf(result.threshold))
        self.assertEqual(result.normal, 0.0)


class Files(unittest.TestCase):
    def test_a_folder_is_scored(self):
        with TemporaryDirectory() as folder:
            root = Path(folder)
            (root / "data/realAWSCloudwatch").mkdir(parents=True)
            (root / "scores/realAWSCloudwatch").mkdir(parents=True)
            times = [f"2024-01-01 00:{minute:02}:00" for minute in range(60)]
            rows = "\n".join(f"{time},1,{1 if at == 30 else 0},normal" for at, time in enumerate(times))
            (root / "data/realAWSCloudwatch/a.csv").write_text("timestamp,value\n")
            scores = f"timestamp,value,anomaly_score,verdict\n{rows}\n"
            (root / "scores/realAWSCloudwatch/a.csv").write_text(scores)
            windows = '{"realAWSCloudwatch/a.csv": [["2024-01-01 00:30:00.000000", "2024-01-01 00:35:00.000000"]]}'
            (root / "windows.json").write_text(windows)
            printed = io.StringIO()
            command = ["nab.py", folder, "--scores", str(root / "scores")]
            with mock.patch("sys.argv", command), redirect_stdout(printed):
                nab.main()
            self.assertIn("1 series, 1 windows", printed.getvalue())
            self.assertIn("| operations | 100.0 | 1 of 1 | 0 | 1.0000 |", printed.getvalue())

    def test_a_window_that_does_not_fit_the_rows_is_refused(self):
        with self.assertRaises(ValueError):
            corpus_of(scored(10, set()), [(5, 99)])

    def test_the_halves_count_from_1_by_name(self):
        odd, even = nab.halves(["a", "b", "c"])
        self.assertEqual((odd, even), (["a", "c"], ["b"]))


if __name__ == "__main__":
    unittest.main()
