import pytest
import torch

from tests.unit.worker.engine.sampler.songs import JAZZ, POP, song
from worker.engine.sampler.codec import SamplerCodec
from worker.engine.sampler.codes import CODEBOOK_SIZE, encode
from worker.engine.sampler.score import Header

audiocraft = pytest.importorskip("audiocraft.models.encodec")


def test_audiocraft_plays_scores() -> None:
    from worker.engine.sampler.compression_model import AudioInputError, SamplerCompressionModel

    pieces = [encode(song(Header(bpm), band, 1)) for bpm, band in ((120, POP), (90, JAZZ))]
    codes = torch.stack([torch.from_numpy(piece) for piece in pieces])
    model = SamplerCompressionModel(SamplerCodec())

    audio = model.decode(codes)

    alone = SamplerCodec().stream().push(codes[0], last=True)
    assert audio.shape == (2, 2, round(32 * 15 * 32000 / 90) + 64000)
    assert torch.equal(audio[0, :, : alone.shape[1]], alone)
    assert not audio[0, :, alone.shape[1] :].any()
    assert (model.num_codebooks, model.total_codebooks, model.cardinality) == (8, 8, CODEBOOK_SIZE)
    assert (model.channels, model.sample_rate) == (2, 32000)
    with pytest.raises(AudioInputError, match="EnCodec"):
        model.encode(audio)
    with pytest.raises(ValueError, match="8"):
        model.set_num_codebooks(4)
