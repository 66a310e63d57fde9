"""Content Credentials: a signed statement inside a clip that a model made it, and how."""
