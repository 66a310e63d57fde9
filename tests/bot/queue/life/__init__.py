"""What becomes of a row: how long its phases take, how far it is, and where it stands."""
