"""Makes worker/engine/sampler/bank.zip with `python -m training.bank.make`."""
