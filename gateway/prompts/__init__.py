"""Builds a prompt sentence from fields, fills the fields from a sentence, and offers words for them."""

from gateway.prompts.builder import BuiltPrompt, ComponentError, KeyName, Meter, PromptComponents, build_prompt
from gateway.prompts.parser import ParsedPrompt, parse_prompt
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
    "ParsedPrompt",
    "PromptComponents",
    "Vocabulary",
    "build_prompt",
    "parse_prompt",
    "random_components",
    "typical_tempo",
]
