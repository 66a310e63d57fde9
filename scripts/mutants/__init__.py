"""Change the code in small ways and see whether its tests notice: `make mutants`."""
