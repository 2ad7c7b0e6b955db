"""Tables and the report tell how far to trust a score, and what the brackets mean, in the same words."""

import pytest

from mien.eval.comparison import compare
from mien.eval.intervals import Interval
from mien.eval.report_tables import result_table
from mien.eval.results import EvalResult
from mien.eval.uncertainty import is_beside, uncertainty_notes
from tests.eval.test_choices import result


def with_interval(low: float, high: float, **changes) -> EvalResult:
    """R² is 0.5."""
    before = result(**changes)
    (task,) = before.tasks
    found = {"r2": Interval(low=low, high=high, num_resamples=1000, num_groups=12)}
    told = task.model_copy(update={"intervals": found})
    return before.model_copy(update={"tasks": (told,), "grouped_by": "film"})


def test_report_shows_intervals_and_says_over_what_they_were_drawn():
    page = result_table([("mine", with_interval(-0.25, 0.75))])
    assert '<b>0.500</b> <span class="soft">[−0.250, 0.750]</span>' in page
    assert "95 % bootstrap interval over 12 films of the split, each drawn whole." in page
    assert "bootstrap" not in result_table([("mine", result())])


@pytest.mark.parametrize(("low", "high", "beside"), [(0.2, 0.8, False), (0.5 + 1e-12, 0.8, False), (0.6, 0.8, True)])
def test_interval_that_does_not_hold_its_own_score_is_explained(low, high, beside):
    mine = with_interval(low, high)
    assert is_beside(mine.tasks[0].intervals["r2"], 0.5) is beside
    for told in (" ".join(compare([("mine", mine)])[0].notes), result_table([("mine", mine)])):
        assert ("an interval beside its score" in told) is beside


def test_results_without_intervals_and_deviations_have_no_notes():
    assert uncertainty_notes([("mine", result())]) == ()
