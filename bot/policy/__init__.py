"""Who may have what: pure decisions over frozen facts. Knows neither Discord nor SQL."""
