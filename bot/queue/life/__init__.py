"""What becomes of a row: the attempts that run a job, and what is deleted when."""
