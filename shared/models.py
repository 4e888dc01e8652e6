"""The known models, by the names that settings, requests and subjects use."""

import re
from collections.abc import Sequence
from pathlib import Path

from shared.audio_conditions import CONDITIONS, ConditionKind
from shared.errors import SettingsError

STARTER = "starter"

# Name → repository on the Hugging Face hub. Meta's weights are CC-BY-NC 4.0: not for commercial use.
HUB_REPOSITORIES: dict[str, str] = {
    name: f"facebook/musicgen-{name}"
    for name in (
        "small",
        "medium",
        "large",
        "melody",
        "melody-large",
        "stereo-small",
        "stereo-medium",
        "stereo-large",
        "stereo-melody",
        "stereo-melody-large",
    )
}
MODEL_NAMES: tuple[str, ...] = (STARTER, *HUB_REPOSITORIES)


def may_write_scores(name: str) -> bool:
    """Whether a model of this name may produce MIDI and stems. Meta's models cannot; a checkpoint folder may."""
    return name not in HUB_REPOSITORIES


def may_follow_melodies(name: str) -> bool:
    """Whether a model of this name may be conditioned on a melody; a checkpoint folder may."""
    return "melody" in name or name not in MODEL_NAMES


def audio_conditions(name: str) -> tuple[ConditionKind, ...]:
    """What a model of this name may do with audio. The starter writes scores, and hears none."""
    if name == STARTER:
        return ()
    return tuple(kind for kind in CONDITIONS if kind != "melody" or may_follow_melodies(name))


# The meters of models that have only some. Meta's models follow any that the prompt names, and a checkpoint folder may.
_METERS: dict[str, tuple[str, ...]] = {STARTER: ("4/4", "3/4", "5/4", "6/8", "7/8", "12/8")}


def playable_meters(name: str) -> tuple[str, ...] | None:
    """The only meters that a model of this name plays; None if it may play any."""
    return _METERS.get(name)


GIGABYTE = 1024**3
# Approximate main or GPU memory per published model, in GB, with room for a batch.
_MEMORY: dict[str, int] = {"small": 4, "melody": 8, "medium": 8, "large": 16}
# The memory of an engine process beside its model: PyTorch and what it imports.
_ENGINE_BYTES = GIGABYTE // 2


def expected_memory(reference: str) -> int:
    """An estimate of the bytes of main or GPU memory that an engine with this model needs.

    Of a checkpoint folder: twice its files, for the weights and a batch, beside the process itself.
    """
    if is_folder(reference):
        return _ENGINE_BYTES + 2 * _size(Path(reference).expanduser())
    return max((need for name, need in _MEMORY.items() if name in reference), default=1) * GIGABYTE


def _size(folder: Path) -> int:
    """The bytes of a folder's files; 0 if it cannot be read, which the engine reports."""
    try:
        return sum(each.stat().st_size for each in folder.iterdir() if each.is_file())
    except OSError:
        return 0


def is_folder(reference: str) -> bool:
    """Whether a model setting is the path of a checkpoint folder, not a model name."""
    return "/" in reference or reference.startswith((".", "~"))


def model_name(reference: str) -> str:
    """The name under which this model's jobs are queued: safe as one token of a NATS subject."""
    if not is_folder(reference):
        return reference
    return re.sub(r"[^a-z0-9]+", "-", Path(reference).expanduser().resolve().name.lower()).strip("-") or "checkpoint"


def model_settings(models: Sequence[str]) -> dict[str, str]:
    """The settings that name these models, for a worker and its gateway; none if there are none.

    Raises:
        SettingsError: if a comma in a name would divide it.
    """
    if not models:
        return {}
    first, *further = models
    if any("," in each for each in further):
        raise SettingsError("A folder after the first --model must have no comma in its path. Rename it.")
    return {"MUSICGEN_MODEL_SIZE": first, "WORKER_MODELS": ",".join(further)}


def _name_of(folder: str, variable: str) -> str:
    try:
        return model_name(folder)
    except (OSError, RuntimeError, ValueError) as error:  # e.g. the home folder of an unknown user
        raise SettingsError(f"{variable} must be a name or a folder; {folder!r} is no path: {error}") from error


def check_model_reference(reference: str, variable: str = "MUSICGEN_MODEL_SIZE") -> None:
    """Refuse a model in a setting that is neither a known name nor a path.

    Raises:
        SettingsError: lists the known names.
    """
    if is_folder(reference) and _name_of(reference, variable) in MODEL_NAMES:
        raise SettingsError(
            f"{variable} must be a folder of another name: one called {model_name(reference)} would take the "
            "jobs of the model of that name. Rename it."
        )
    if not is_folder(reference) and reference not in MODEL_NAMES:
        raise SettingsError(
            f"{variable} must be one of {', '.join(MODEL_NAMES)}, "
            f"or the path of a checkpoint folder, such as ./{reference}; it is {reference!r}."
        )


def default_guidance(model: str) -> float:
    """The default `cfg_coef`: how strongly the music follows the prompt.

    audiocraft's default is 3. The starter is too small for that, because guidance mostly amplifies its mistakes;
    training/README.md has the measurements.
    """
    return 1.5 if model == STARTER else 3.0
