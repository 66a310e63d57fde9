"""The catalogues of sentences: taken out of the code, brought up to date, checked, compiled."""
