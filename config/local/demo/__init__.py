"""`make demo`: a whole installation on this machine, and a story played on it."""
