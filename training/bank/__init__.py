"""Makes worker/engine/sampler/bank.zip: run `python -m training.bank.make`."""
