"""The form to ask for a clip with: what may be chosen, the form itself, the commands that open it."""
