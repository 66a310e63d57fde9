"""Programs that make parts of the documentation from the running product."""
