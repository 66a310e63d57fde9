"""Forms and panels: their titles, labels and choices. No Discord."""
