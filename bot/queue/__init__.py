"""What was asked, on disk: jobs, deliveries, estimates, retention and the spool of files. Knows no Discord."""
