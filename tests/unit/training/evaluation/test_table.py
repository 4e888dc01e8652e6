import json
import math

import pytest

from training.evaluation.table import Tally, as_json, print_table, results


def test_figures_are_means_and_targets_are_met_or_not() -> None:
    found = Tally([{"solo": 1.0, "key, notes": 0.0}, {"solo": 1.0, "first chunk": 0.4}])
    table = {result.name: result for result in results(found, Tally([{"solo": 1.0}, {"solo": 0.5}]))}
    assert set(table) == {"solo", "key, notes", "first chunk"}
    assert (table["solo"].n, table["solo"].figure, table["solo"].ceiling, table["solo"].met) == (2, 1.0, 0.75, True)
    assert table["key, notes"].met is False
    assert table["first chunk"].met is True
    assert table["first chunk"].ceiling is None


@pytest.mark.parametrize(("figure", "met"), [(0.3, True), (0.27, False)])
def test_moods_are_judged_by_what_can_be_recognised_at_all(figure: float, met: bool) -> None:
    (result,) = results(Tally([{"mood": figure}]), Tally([{"mood": 0.4}]))
    assert result.met is met


def test_the_table_names_each_row_and_json_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    table = results(Tally([{"solo": 1.0, "key, conductor": math.nan}]), Tally())
    print_table(table)
    printed = capsys.readouterr().out
    assert "solo" in printed
    assert "reached" in printed
    assert [row["figure"] for row in json.loads(json.dumps(as_json(table), allow_nan=False))] == [1.0, None]
