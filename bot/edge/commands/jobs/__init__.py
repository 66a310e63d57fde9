"""What was asked for before: /queue, /cancel, /result, /history and /recipe, and what the buttons there do."""
