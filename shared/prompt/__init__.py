"""From fields to one sentence that MusicGen understands, and the words that make good fields."""

from shared.prompt.builder import BuiltPrompt, PromptComponents, build_prompt
from shared.prompt.random import Complexity, random_components
from shared.prompt.vocabulary import VOCABULARY, Vocabulary

__all__ = [
    "VOCABULARY",
    "BuiltPrompt",
    "Complexity",
    "PromptComponents",
    "Vocabulary",
    "build_prompt",
    "random_components",
]
