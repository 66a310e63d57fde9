"""People, jobs and posting. Knows no torch: rendering happens in the generator's child process."""
