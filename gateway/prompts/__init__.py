"""From fields to one sentence that MusicGen understands, and the words that make good fields."""

from gateway.prompts.builder import BuiltPrompt, PromptComponents, build_prompt
from gateway.prompts.random import Complexity, random_components
from gateway.prompts.vocabulary import VOCABULARY, Vocabulary

__all__ = [
    "VOCABULARY",
    "BuiltPrompt",
    "Complexity",
    "PromptComponents",
    "Vocabulary",
    "build_prompt",
    "random_components",
]
