"""Generation. It runs in a process of its own, so that nothing it does can block or kill the worker.

`interface` says what an engine is, `protocol` what passes between the processes, `host` is the worker's
side and `process` the engine's. Only what `process` imports at run time may import torch.
"""
