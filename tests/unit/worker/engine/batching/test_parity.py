"""Greedy codes equal audiocraft's, for any request and in any batch."""

import threading

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.unit.worker.engine.batching.batch import request, result, running_batch
from tests.unit.worker.engine.batching.models import Tiny, audiocraft_codes, audiocraft_windows, config, random_text
from worker.engine.batching.conditions import Conditions
from worker.engine.batching.loop import RequestHandle
from worker.engine.batching.melody import no_melody
from worker.engine.batching.request import Request

MONO = Tiny()
STEREO = Tiny(codebooks=8, stereo=True, seed=2)
LONGEST = 60


class FixedTexts:
    """A text encoder that knows two texts."""

    def __init__(self, texts: dict[str, Tensor]) -> None:
        self.encode = texts.__getitem__


def random_codes(tiny: Tiny, frames: int, seed: int) -> Tensor:
    return torch.randint(0, tiny.codebook_size, (tiny.codebooks, frames), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("tiny", [MONO, STEREO, Tiny(dim=48, heads=3, layers=3, codebooks=2, codebook_size=17, seed=3)])
@pytest.mark.parametrize("cfg_scale", [3.0, 1.0])
def test_text_only_request_equals_audiocraft(tiny: Tiny, cfg_scale: float) -> None:
    text = random_text(tiny, 9, 3)
    with running_batch(tiny) as (model, loop):
        codes = result(loop.submit(request(model, text, 40, temperature=0.0, cfg_scale=cfg_scale)))
    assert codes.equal(audiocraft_codes(tiny, text, 40, cfg_scale))
    assert len(set(codes.flatten().tolist())) > 4, "a model that repeats one code tests nothing"


@pytest.mark.parametrize("frames", [1, 5, 30, 39])
@pytest.mark.parametrize("tiny", [MONO, STEREO])
def test_continuation_equals_audiocraft(tiny: Tiny, frames: int) -> None:
    text, start = random_text(tiny, 5, 4), random_codes(tiny, frames, 5)
    with running_batch(tiny) as (model, loop):
        codes = result(loop.submit(request(model, text, 40, temperature=0.0, given=start)))
    assert codes.equal(audiocraft_codes(tiny, text, 40, 3.0, start))


@pytest.mark.parametrize("frames", [61, 100, 200])
@pytest.mark.parametrize("tiny", [MONO, STEREO])
def test_piece_longer_than_the_window_equals_audiocraft(tiny: Tiny, frames: int) -> None:
    text = random_text(tiny, 5, 4)
    with running_batch(tiny, longest=LONGEST) as (model, loop):
        codes = result(loop.submit(request(model, text, frames, temperature=0.0)))
    assert codes.equal(audiocraft_windows(tiny, text, frames, LONGEST, 3.0))


@pytest.mark.parametrize("cfg_scale", [3.0, 1.0])
@pytest.mark.parametrize(("codebooks", "start"), [(4, 0), (4, 11), (8, 0)])
def test_prefix_conditions_equal_audiocraft(codebooks: int, start: int, cfg_scale: float) -> None:
    tiny = Tiny(codebooks=codebooks, stereo=codebooks == 8, melody=True, seed=4)
    text, melody = random_text(tiny, 5, 4), random_text(tiny, 150, 5)
    given_codes = random_codes(tiny, start, 5) if start else None
    rows = torch.stack([text, torch.zeros_like(text)]) if cfg_scale != 1.0 else text[None]
    prefix = torch.cat([melody.expand(len(rows), -1, -1), rows], 1)
    with running_batch(tiny) as (_, loop):
        one = Request(None, 40, prefix, temperature=0.0, cfg_scale=cfg_scale, given=given_codes)
        others = [loop.submit(Request(None, 50, prefix[:, :length], cfg_scale=cfg_scale)) for length in (100, 3)]
        codes = result(loop.submit(one))
        for other in others:
            assert result(other).shape == (codebooks, 50)
    assert codes.equal(audiocraft_codes(tiny, text, 40, cfg_scale, given_codes, melody))


@pytest.mark.parametrize("frames", [0, 11])
@pytest.mark.parametrize(("tokens", "negative_tokens"), [(9, 9), (4, 9), (9, 1)])
@pytest.mark.parametrize("tiny", [MONO, STEREO])
def test_negative_prompt_equals_audiocraft_in_any_company(
    tiny: Tiny, tokens: int, negative_tokens: int, frames: int
) -> None:
    text, negative = random_text(tiny, tokens, 3), random_text(tiny, negative_tokens, 8)
    start = random_codes(tiny, frames, 5) if frames else None
    with running_batch(tiny, slots=4) as (model, loop):
        other = model.project_text(random_text(tiny, 12, 7))
        options_of_others: list[dict[str, object]] = [{}, {"cfg_scale": 1.0}, {"negative": other}]
        others = [
            loop.submit(request(model, random_text(tiny, 6, seed), 50, temperature=0.0, **options))
            for seed, options in enumerate(options_of_others)
        ]
        one = request(model, text, 40, temperature=0.0, given=start, negative=model.project_text(negative))
        codes = result(loop.submit(one))
        plain = result(others[0])
        for each in others[1:]:
            result(each)
    assert codes.equal(audiocraft_codes(tiny, text, 40, 3.0, start, negative=negative))
    assert not codes.equal(audiocraft_codes(tiny, text, 40, 3.0, start)), "the negative prompt changes nothing"
    assert plain.equal(audiocraft_codes(tiny, random_text(tiny, 6, 0), 50, 3.0))


@pytest.mark.parametrize(("tokens", "negative_tokens"), [(5, 5), (5, 8), (8, 3)])
def test_negative_prompt_of_a_prefix_equals_audiocraft(tokens: int, negative_tokens: int) -> None:
    tiny = Tiny(melody=True, seed=4)
    texts = {"prompt": random_text(tiny, tokens, 4), "negative": random_text(tiny, negative_tokens, 6)}
    name = "condition_provider.conditioners.self_wav.output_proj"
    projection = {f"{name}.weight": random_text(tiny, 12, 1).T, f"{name}.bias": random_text(tiny, 1, 2)[0]}
    melody = no_melody(config(tiny), projection)
    with running_batch(tiny) as (model, loop):
        conditions = Conditions(model, FixedTexts(texts), projection)  # type: ignore[arg-type]
        encoded = conditions.encode("prompt", True, "negative")
        codes = result(loop.submit(Request(**encoded._asdict(), frames=40, temperature=0.0)))
    wanted = audiocraft_codes(tiny, texts["prompt"], 40, 3.0, melody=melody, negative=texts["negative"])
    assert codes.equal(wanted)


def test_without_guidance_a_negative_prompt_changes_nothing() -> None:
    text, negative = random_text(MONO, 5, 4), random_text(MONO, 7, 6)
    with running_batch(MONO) as (model, loop):
        one = request(model, text, 40, temperature=0.0, cfg_scale=1.0, negative=model.project_text(negative))
        codes = result(loop.submit(one))
    assert codes.equal(audiocraft_codes(MONO, text, 40, 1.0))


@st.composite
def mixtures(draw: st.DrawFn) -> list[tuple[int, int, float, int, int]]:
    """Requests: (text tokens, frames, cfg scale, given frames, step of the first request at which it joins)."""
    one = st.tuples(
        st.integers(1, 12),
        st.integers(2, 130),
        st.sampled_from([1.0, 2.0, 3.0]),
        st.integers(0, 20),
        st.integers(0, 60),
    )
    return draw(st.lists(one, min_size=2, max_size=7))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mixture=mixtures(), leaving=st.sets(st.integers(0, 6)))
def test_mixed_batch_gives_each_request_the_codes_of_a_batch_of_one(
    mixture: list[tuple[int, int, float, int, int]], leaving: set[int]
) -> None:
    handles: list[RequestHandle] = []
    with running_batch(MONO, longest=LONGEST) as (model, loop):
        first: RequestHandle | None = None
        for index, (tokens, frames, cfg_scale, start, when) in enumerate(mixture):
            if first is not None:
                wait_for_step(first, when)
            given_codes = random_codes(MONO, start, index) if 0 < start < min(frames, LONGEST) else None
            one = request(
                model, random_text(MONO, tokens, index), frames,
                temperature=0.0, cfg_scale=cfg_scale, given=given_codes,
            )  # fmt: skip
            handles.append(loop.submit(one))
            first = first or handles[0]
        for index in leaving & set(range(len(handles))):
            loop.cancel(handles[index])
        for index, handle in enumerate(handles):
            if index not in leaving:
                check(mixture[index], index, handle)


def wait_for_step(handle: RequestHandle, step: int) -> None:
    """Wait until the request reaches `step` or is complete."""
    pause = threading.Event()
    while handle.done < min(step, handle.total):
        pause.wait(0.0005)


def check(one: tuple[int, int, float, int, int], index: int, handle: RequestHandle) -> None:
    tokens, frames, cfg_scale, _, _ = one
    wanted = audiocraft_windows(
        MONO, random_text(MONO, tokens, index), frames, LONGEST, cfg_scale, handle.scheduled.request.given
    )
    assert result(handle).equal(wanted)
