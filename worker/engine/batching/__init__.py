"""The decode engine: many requests in one running batch, in plain PyTorch.

A request walks through the rooms in this order: `engine` (one call a request) → `text` (its prompt becomes
embeddings) → `loop` (joins and leaves the running batch) → `scheduler` (who runs next) → `decoder` (one step of
all) → `codec` (tokens become audio, chunk by chunk). Only `checkpoint` and the two codecs read files.
"""
