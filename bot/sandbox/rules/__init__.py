"""What Discord allows: pure checks, its error codes, its deadlines and how it makes ids."""
