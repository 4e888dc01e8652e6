"""The figures of `bench.gpu`, as JSON and as the table of docs/performance.md."""

from pathlib import Path

import msgspec

from bench.contestants import Timing
from bench.gpu_device import Agreement
from bench.report import milliseconds
from bench.sizes import CODEBOOKS, Size

HALF = 2  # bytes of a number in float16


class Step(msgspec.Struct):
    """A step without its host. `share_of_bandwidth` is of a copy's."""

    path: str
    requests: int
    milliseconds: float
    share_of_bandwidth: float | None


class Pieces(msgspec.Struct):
    """Pieces made at once: seconds until all audio is there and until every piece has its first chunk."""

    model: str
    requests: int
    piece_seconds: float
    wall_s: float
    times_real_time: float
    first_chunk_s: float
    ms_per_step: float
    share_of_bandwidth: float | None


class Figures(msgspec.Struct):
    """All figures of a run. `bandwidth` is in bytes per second; `seconds` tells when each task had ended."""

    machine: str
    device: str
    torch: str
    agreements: list[Agreement] = []
    bandwidth: float | None = None
    launches: dict[str, int] = {}
    launches_seen: int | None = None
    steps: list[Step] = []
    pieces: list[Pieces] = []
    engines: dict[str, str] = {}
    audiocraft_ms_per_step: dict[str, float] = {}
    join: dict[str, float] | None = None
    left_out: list[str] = []
    seconds: dict[str, float] = {}

    def add_step(self, path: str, requests: int, taken: float, read: int) -> None:
        """Add a step of `taken` milliseconds that must read so many bytes."""
        self.steps.append(Step(path, requests, taken, self._share(read, taken / 1000)))

    def add_pieces(self, model: str, requests: int, timing: Timing, seconds: float, read: int) -> None:
        """Add pieces of this length, whose steps must read so many bytes on average."""
        self.pieces.append(
            Pieces(
                model=model,
                requests=requests,
                piece_seconds=seconds,
                wall_s=round(timing.wall, 3),
                times_real_time=round(requests * seconds / timing.wall, 2),
                first_chunk_s=round(timing.first_chunk, 3),
                ms_per_step=milliseconds(timing.turn),
                share_of_bandwidth=self._share(read, timing.turn) if timing.turn else None,
            )
        )

    def add_audiocraft(self, model: str, timing: Timing) -> None:
        """Add a piece of audiocraft's own."""
        self.audiocraft_ms_per_step[model] = milliseconds(timing.step)

    def markdown(self) -> str:
        """The figures as tables."""
        lines = [f"Measured by `bench.gpu` on {self.device} ({self.machine}, PyTorch {self.torch})", ""]
        lines += ["| path beside float32 | logits differ by | replayed | equal draws |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {each.path} | {each.error:.1e} | {each.replayed:.1e} | {each.same_draws:.1%} |"
            for each in self.agreements
        ]
        if self.bandwidth:
            lines += ["", f"A copy reads and writes {self.bandwidth / 1e9:.0f} GB/s."]
        seen = "" if self.launches_seen is None else f" (a GPU ran {self.launches_seen} in a fused step)"
        counted = ", ".join(f"{name}: {number}" for name, number in self.launches.items())
        lines += [f"Launches per step: {counted}{seen}.", ""]
        lines += ["| a step, replayed | requests | ms | share of bandwidth |", "| --- | --- | --- | --- |"]
        lines += [
            f"| {each.path} | {each.requests} | {each.milliseconds:g} | {_percent(each.share_of_bandwidth)} |"
            for each in self.steps
        ]
        names = ("model", "at once", "all audio after", "times real time", "first chunk", "ms a step", "bandwidth")
        lines += ["", f"| {' | '.join(names)} | audiocraft |", "| --- | --- | --- | --- | --- | --- | --- | --- |"]
        lines += [self._row(each) for each in self.pieces]
        if self.join:
            before, after = self.join["ms_per_step_before"], self.join["ms_per_step_after"]
            lines += ["", f"One more joins {self.join['running']}: a step goes from {before} to {after} ms."]
        lines += [f"\nLeft out: {each}." for each in self.left_out]
        return "\n".join(lines) + "\n"

    def _row(self, each: Pieces) -> str:
        theirs = self.audiocraft_ms_per_step.get(each.model)
        beside = f"{theirs} ms, {theirs / each.ms_per_step:.1f} times" if theirs and each.ms_per_step else ""
        pieces = f"{each.wall_s} s for {each.piece_seconds:g} s | {each.times_real_time} | {each.first_chunk_s} s"
        step = f"{each.ms_per_step} | {_percent(each.share_of_bandwidth)} | {beside}"
        return f"| {each.model} | {each.requests} | {pieces} | {step} |"

    def _share(self, read: int, seconds: float) -> float | None:
        return round(read / seconds / self.bandwidth, 3) if self.bandwidth and seconds else None


def step_bytes(size: Size, requests: int, position: int) -> int:
    """Bytes that a guided step in float16 must read: all weights once, and the past of every row.

    A layer has 14 dim² weights for a step: 4 of self-attention, 2 of cross-attention, whose keys and values are made
    once per request, and 8 of the feed-forward block. The text itself is left out.
    """
    weights = size.layers * 14 * size.dim**2 + CODEBOOKS * size.card * size.dim
    past = 2 * requests * position * 2 * size.layers * size.dim
    return HALF * (weights + past)


def write_figures(figures: Figures, folder: Path) -> None:
    """Write gpu.json and gpu.md.

    Raises:
        OSError: if they cannot be written.
    """
    (folder / "gpu.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures)))
    (folder / "gpu.md").write_text(figures.markdown(), encoding="utf-8")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"
