"""What runs: workers that claim, render and settle, and what may stop them. No Discord, no SQL."""
