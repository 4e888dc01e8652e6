"""The picture of the dashboard: panels with their places, numbers with their units."""

from pathlib import Path

import pytest
from PIL import Image

from bench.dashboard import DASHBOARDS, _configuration, _legend
from bench.dashboard_picture import (
    CELL_HEIGHT,
    CELL_WIDTH,
    GAP,
    INK,
    WHITE,
    Panel,
    Series,
    _pieces,
    draw,
    form,
    round_up,
)

NAN = float("nan")
RISING = Series("queued", [(0.0, 0.0), (0.5, 40.0), (1.0, NAN)])


def panel(x: int, *series: Series, is_number: bool = False) -> Panel:
    return Panel("Jobs", is_number, "short", {"x": x, "y": 0, "w": 12, "h": 7}, list(series))


def colours(image: Image.Image) -> set[tuple[int, int, int]]:
    return {image.getpixel((x, y)) for x in range(image.width) for y in range(image.height)}  # type: ignore[misc]


def test_panels_fill_their_places(tmp_path: Path) -> None:
    file = tmp_path / "page.png"
    draw([panel(0, RISING), panel(12, RISING, is_number=True)], file)
    image = Image.open(file).convert("RGB")
    assert image.size == (24 * CELL_WIDTH + GAP, 7 * CELL_HEIGHT + GAP)
    for left in (0, image.width // 2):
        found = colours(image.crop((left, 0, left + image.width // 2, image.height)))
        assert {WHITE, INK} <= found
        assert len(found) > 4


def test_a_panel_without_series_says_so_instead_of_failing(tmp_path: Path) -> None:
    draw([panel(0), panel(12, Series("nothing", []))], tmp_path / "page.png")
    assert (tmp_path / "page.png").stat().st_size > 100


def test_a_line_is_interrupted_where_there_is_no_value() -> None:
    assert _pieces([(0.0, 1.0), (0.01, NAN), (0.04, 2.0), (0.05, 3.0)]) == [[(0.0, 1.0)], [(0.04, 2.0), (0.05, 3.0)]]


@pytest.mark.parametrize(("value", "expected"), [(0, 1), (1, 1), (1.1, 2), (3, 5), (70, 100), (0.03, 0.05)])
def test_an_axis_ends_at_a_round_number(value: float, expected: float) -> None:
    assert round_up(value) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.25, "s", "250 ms"),
        (90, "s", "90 s"),
        (0.5, "percentunit", "50%"),
        (1_500_000, "bytes", "1.5 MB"),
        (0, "bytes", "0 B"),
        (3, "reqps", "3/s"),
        (7, "short", "7"),
    ],
)
def test_values_have_their_unit(value: float, unit: str, expected: str) -> None:
    assert form(value, unit) == expected


def test_a_legend_shows_the_labels_of_its_series() -> None:
    assert _legend("GPU {{instance}} {{gpu}}", {"instance": "w", "gpu": "0"}) == "GPU w 0"


def test_prometheus_scrapes_what_runs_and_evaluates_the_alert_rules() -> None:
    running = [
        {"role": "nats", "urls": ["nats://127.0.0.1:1"]},
        {"role": "gateway", "urls": ["http://127.0.0.1:2"]},
        {"role": "worker", "urls": ["http://127.0.0.1:3/metrics"]},
    ]
    found = _configuration(running)
    jobs = {each["job_name"]: each["static_configs"][0]["targets"] for each in found["scrape_configs"]}
    assert jobs == {"musicgen-gateway": ["127.0.0.1:2"], "musicgen-worker": ["127.0.0.1:3"]}
    assert found["rule_files"] == [str(DASHBOARDS / "alerts.yml")]
