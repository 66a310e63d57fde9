"""Speed and memory on a GPU, with random weights of the full size: `python -m tests.benchmarks.gpu`."""
