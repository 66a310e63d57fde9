"""The GPU's side of the pipe, run as `python -m generator.executor`: the loop, the renderer, frame health."""
