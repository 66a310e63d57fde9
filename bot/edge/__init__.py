"""Everything that imports discord: commands and buttons inwards, status cards and deliveries outwards."""
