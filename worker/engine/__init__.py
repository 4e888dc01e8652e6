"""Engines generate audio. They run in a separate process, so that they cannot block or crash the worker.

`interface` defines engines and `protocol` the messages between the processes; `host` is the worker's side and
`process` the engine's side. Only modules that `process` imports at run time may import torch.
"""
