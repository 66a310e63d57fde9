"""What may be done with a finished clip: its file made anew, without rendering again."""
