"""A clip's file made anew, without rendering: the frames that are kept for it, and what encodes them again."""
