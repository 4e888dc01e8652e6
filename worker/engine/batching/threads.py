"""How many threads an operation is spread over.

OpenMP keeps a pool of threads for every thread that ever computed in parallel, and they get in each other's way. So in
a process that computes on a CPU one thread alone, the running batch's, spreads its work.
"""

import torch


def compute_on(threads: int) -> None:
    """Spread the operations of the calling thread over so many."""
    torch.set_num_threads(threads)
    # PyTorch takes over the last number that any thread set when a thread computes for the first time: that is now.
    torch.get_num_threads()
