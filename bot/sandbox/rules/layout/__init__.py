"""What may stand in a message and in a form, and what each component may say."""
