"""The requests that the tests of every client send, as bodies of the calls. A gateway must accept each."""

from typing import Any

Vectors = list[dict[str, Any]]

REQUESTS: Vectors = [
    {"name": "words alone", "body": {"prompt": "tone"}},
    {"name": "components", "body": {"components": {"genre": "house", "instruments": ["piano"]}, "duration": 1.0}},
    {
        "name": "every kind of field",
        "body": {
            "prompt": 'tone ♯ "quoted"',
            "bars": 1,
            "bpm": 124.5,
            "meter": "4/4",
            "key": "A minor",
            "loop": True,
            "seed": 4294967295,
            "model": "starter",
            "temperature": 1.5,
            "top_k": 0,
            "top_p": 0.5,
            "cfg_coef": 2.0,
            "negative_prompt": "drums, vocals",
            "format": "flac",
            "sample_rate": 48000,
            "sample_format": "int24",
            "loudness": -14.0,
            "title": "Küche",
            "outputs": ["midi", "stems"],
            "variations": 2,
            "priority": "batch",
            "cache": False,
        },
    },
    {
        "name": "a webhook",
        "body": {
            "prompt": "tone",
            "webhook": "https://studio.example.com/hooks/music",
            "webhook_events": ["processing", "completed"],
        },
    },
    {
        "name": "audio to continue",
        "body": {
            "prompt": "rock",
            "duration": 20.0,
            "model": "small",
            "audio": {"continue_from": {"audio_id": "aud_abc000000001", "start": 0.5, "end": 1.5}},
        },
    },
    {
        "name": "a melody",
        "body": {
            "prompt": "flute",
            "duration": 4.0,
            "model": "melody",
            "audio": {"melody": {"audio_id": "aud_abc000000001"}},
        },
    },
    {
        "name": "a score",
        "body": {
            "title": "Second verse",
            "outputs": ["midi", "stems"],
            "score": {
                "audio_id": "aud_abc000000000",
                "as": "play",
                "programs": {"part 1": 73},
                "instruments": ["part 1"],
            },
        },
    },
]
# Of a take with a bass.
CHILDREN: Vectors = [
    {
        "route": "vary",
        "body": {
            "strength": 0.25,
            "instruments": ["bass"],
            "seed": 7,
            "outputs": ["stems"],
            "title": "Küche",
            "webhook": "https://studio.example.com/hooks/music",
            "webhook_events": ["completed"],
        },
    },
    {
        "route": "extend",
        "body": {
            "bars": 1,
            "at": "start",
            "prompt": "busy",
            "seed": 7,
            "outputs": ["midi"],
            "title": "Küche",
            "webhook": "https://studio.example.com/hooks/music",
            "webhook_events": ["queued"],
        },
    },
    {
        "route": "replace",
        "body": {
            "from_bar": 1,
            "to_bar": 2,
            "instruments": ["bass"],
            "prompt": "calm",
            "seed": 7,
            "outputs": ["midi"],
            "title": "Küche",
            "webhook": "https://studio.example.com/hooks/music",
            "webhook_events": ["failed", "cancelled"],
        },
    },
]
