"""Audio of clients in the form in which a codec takes it."""

import numpy as np
import torch
from julius.resample import resample_frac
from torch import Tensor

from shared.audio_conditions import Excerpt


@torch.inference_mode()
def as_waveform(excerpt: Excerpt, sample_rate: int, channels: int) -> Tensor:
    """An excerpt resampled, with its channels mixed to one or doubled: float32 of shape [channels, samples].

    As in audiocraft's `convert_audio` (data/audio_utils.py), so that equal audio has equal codes.
    """
    frames = np.frombuffer(excerpt.samples, "<f4").reshape(-1, excerpt.channels)
    audio: Tensor = resample_frac(torch.tensor(frames.T), excerpt.sample_rate, sample_rate)
    return audio.mean(0, keepdim=True) if channels == 1 else audio.expand(channels, -1)
