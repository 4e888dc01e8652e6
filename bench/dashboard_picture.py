"""Draws panels as Grafana places them: graphs with a legend, and numbers."""

import math
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

# Pixels of one cell of Grafana's grid of 24 columns, and between panels.
CELL_WIDTH, CELL_HEIGHT, GAP = 60, 28, 6
WHITE, INK, GRID, FRAME = (255, 255, 255), (50, 50, 50), (228, 228, 228), (200, 200, 200)
# Okabe and Ito's palette for colour-blind readers.
COLOURS = (
    (0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (213, 94, 0), (86, 180, 233), (120, 120, 120),
)  # fmt: skip
SMALL, NORMAL, LARGE = (ImageFont.load_default(size) for size in (11, 13, 34))
# Heights of a title and of the line with the legend, and the width of the axis's numbers.
TITLE, LEGEND, AXIS = 24, 18, 52


class Series(NamedTuple):
    """One line: points of time, from 0 to 1 within the picture, and value."""

    legend: str
    points: list[tuple[float, float]]


class Panel(NamedTuple):
    """One panel: `place` is in cells of the grid; a number shows the last values, a graph all of them."""

    title: str
    is_number: bool
    unit: str
    place: dict[str, int]
    series: list[Series]


def draw(panels: list[Panel], file: Path) -> None:
    """Write a PNG with all panels."""
    rows = max(panel.place["y"] + panel.place["h"] for panel in panels)
    image = Image.new("RGB", (24 * CELL_WIDTH + GAP, rows * CELL_HEIGHT + GAP), WHITE)
    for panel in panels:
        left, top = panel.place["x"] * CELL_WIDTH + GAP, panel.place["y"] * CELL_HEIGHT + GAP
        width, height = panel.place["w"] * CELL_WIDTH - GAP, panel.place["h"] * CELL_HEIGHT - GAP
        image.paste(_draw_panel(panel, width, height), (left, top))
    image.quantize(64).save(file, optimize=True)


def _draw_panel(panel: Panel, width: int, height: int) -> Image.Image:
    image = Image.new("RGB", (width, height), WHITE)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 0, width - 1, height - 1), outline=FRAME)
    pen.text((8, TITLE / 2), panel.title, fill=INK, font=NORMAL, anchor="lm")
    shown = [each for each in panel.series if each.points]
    if not shown:
        pen.text((width / 2, height / 2), "no data", fill=FRAME, font=NORMAL, anchor="mm")
    elif panel.is_number:
        text = "  ".join(form(each.points[-1][1], panel.unit) for each in shown)
        pen.text((width / 2, (height + TITLE) / 2), text, fill=COLOURS[0], font=LARGE, anchor="mm")
    else:
        _draw_graph(pen, shown, panel.unit, width, height)
    return image


def _draw_graph(pen: ImageDraw.ImageDraw, shown: list[Series], unit: str, width: int, height: int) -> None:
    left, right, top, bottom = AXIS, width - 10, TITLE + 6, height - LEGEND - 8
    finite = [value for each in shown for _, value in each.points if math.isfinite(value)]
    highest = round_up(max(finite, default=0.0))
    for part in (0.0, 0.5, 1.0):
        y = bottom - part * (bottom - top)
        pen.line((left, y, right, y), fill=GRID)
        pen.text((left - 6, y), form(part * highest, unit), fill=INK, font=SMALL, anchor="rm")
    across: float = left
    for number, each in enumerate(shown):
        colour = COLOURS[number % len(COLOURS)]
        # NaN, a quotient of two zeros, interrupts the line.
        for line in _pieces(each.points):
            points = [(left + x * (right - left), bottom - y / highest * (bottom - top)) for x, y in line]
            pen.line([*points, points[-1]], fill=colour, width=2)
        if across < width - 40:
            pen.text((across, height - LEGEND / 2 - 3), each.legend, fill=colour, font=SMALL, anchor="lm")
        across += pen.textlength(each.legend, font=SMALL) + 14


def _pieces(points: list[tuple[float, float]]) -> list[list[tuple[float, float]]]:
    """The points without NaN, cut wherever one was left out or where no sample is for a while."""
    pieces: list[list[tuple[float, float]]] = []
    before = -1.0
    for x, y in points:
        if not math.isfinite(y):
            continue
        if x - before > 0.02:
            pieces.append([])
        pieces[-1].append((x, y))
        before = x
    return pieces


def round_up(value: float) -> float:
    """The next number of the form 1, 2 or 5 times a power of ten; 1 for zero."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-9))


def form(value: float, unit: str) -> str:
    """A value with its unit, in the units of Grafana that the dashboard uses."""
    match unit:
        case "s":
            return f"{value * 1000:.3g} ms" if 0 < value < 1 else f"{value:.3g} s"
        case "percentunit":
            return f"{value * 100:.3g}%"
        case "percent":
            return f"{value:.3g}%"
        case "bytes":
            power = min(int(math.log10(value) / 3), 4) if value >= 1 else 0
            return f"{value / 1000**power:.3g} {('B', 'kB', 'MB', 'GB', 'TB')[power]}"
        case "reqps" | "ops":
            return f"{value:.3g}/s"
        case _:
            return f"{value:.3g}"
