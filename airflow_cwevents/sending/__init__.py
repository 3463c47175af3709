"""What the operators that send events have in common: checkpoints, failed entries, progress."""
