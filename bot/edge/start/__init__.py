"""What the edge does at a start: spares the budget of sessions, and looks up what may have been answered before."""
