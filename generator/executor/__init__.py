"""The GPU's side of the pipe, started as `python -m generator.executor`: the loop, the renderer, frame health."""
