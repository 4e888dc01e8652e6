"""Builds a prompt sentence from fields, and offers words for the fields."""

from gateway.prompts.builder import BuiltPrompt, ComponentError, KeyName, Meter, PromptComponents, build_prompt
from gateway.prompts.random import Complexity, random_components
from gateway.prompts.tempos import typical_tempo
from gateway.prompts.vocabulary import VOCABULARY, Vocabulary

__all__ = [
    "VOCABULARY",
    "BuiltPrompt",
    "Complexity",
    "ComponentError",
    "KeyName",
    "Meter",
    "PromptComponents",
    "Vocabulary",
    "build_prompt",
    "random_components",
    "typical_tempo",
]
