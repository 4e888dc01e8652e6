"""Typical tempos of genres, for requests in bars that name no tempo."""

import re

from gateway.prompts.vocabulary import VOCABULARY
from shared.music import DEFAULT_BPM

# Quarter notes a minute: every genre of the vocabulary, and further common ones. Each is the usual tempo of a DAW's
# templates and of sample libraries.
TYPICAL = {
    "electronic": 124, "techno": 130, "house": 124, "deep house": 122, "tech house": 126, "trance": 138,
    "dubstep": 140, "ambient": 80, "lo fi hip hop": 82, "lo fi": 82, "lofi": 82, "hip hop": 90, "boom bap": 90,
    "rap": 90, "trap": 140, "drill": 142, "drum and bass": 174, "drum n bass": 174, "dnb": 174, "jungle": 165,
    "garage": 132, "breakbeat": 130, "hardstyle": 150, "synthwave": 104, "disco": 118, "pop": 116, "rock": 120,
    "metal": 140, "punk": 170, "funk": 108, "soul": 90, "r and b": 80, "rnb": 80, "gospel": 90, "jazz": 120,
    "swing": 140, "bossa nova": 130, "blues": 90, "reggae": 76, "dub": 72, "reggaeton": 94, "latin": 100, "salsa": 180,
    "afrobeat": 108, "country": 110, "folk": 100, "classical": 100, "orchestral": 100, "cinematic": 90,
}  # fmt: skip

_GENRE = re.compile(rf"\b(?:{'|'.join(sorted(TYPICAL, key=len, reverse=True))})\b")
# The genre stands before what it is combined with: "house with jazz piano".
_CLAUSE_ENDS = re.compile(r"[,.;:(]| (?:with|featuring|in the style of|like) ")
# As in lo-fi and drum'n'bass.
_BETWEEN_WORDS = str.maketrans("-'’", "   ")
_TEMPO_WORDS = {tempo.name: (tempo.bpm_min, tempo.bpm_max) for tempo in VOCABULARY.tempos}
_TEMPO_WORD = re.compile(rf"\b({'|'.join(sorted(_TEMPO_WORDS, key=len, reverse=True))}) tempo\b")


def typical_tempo(prompt: str) -> float:
    """The tempo that a prompt suggests by its genre and by words such as "slow tempo"; DEFAULT_BPM without either."""
    text = " ".join(prompt.lower().replace("&", " and ").translate(_BETWEEN_WORDS).split())
    genre = _genre(text)
    tempo = float(TYPICAL[genre]) if genre else None
    if word := _TEMPO_WORD.search(text):
        slowest, fastest = _TEMPO_WORDS[word[1]]
        return (slowest + fastest) / 2 if tempo is None else min(max(tempo, slowest), fastest)
    return DEFAULT_BPM if tempo is None else tempo


def _genre(text: str) -> str | None:
    """The last genre of the first clause that names one: "jazz house" is house."""
    clauses = (_GENRE.findall(clause) for clause in _CLAUSE_ENDS.split(text))
    return next((genres[-1] for genres in clauses if genres), None)
