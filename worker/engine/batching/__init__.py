"""The batching engine: continuous batching of requests in plain PyTorch.

A request passes through these modules in order: `engine` (one call per request) → `text` (encodes the prompt) →
`loop` (adds it to the running batch) → `scheduler` (chooses what runs next) → `decoder` (one step of the batch) →
the codec (decodes the codes to audio in chunks). Only `checkpoint` and the codec loaders read files.
"""
