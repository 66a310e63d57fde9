"""Discord's REST API: requests in, answers out."""
