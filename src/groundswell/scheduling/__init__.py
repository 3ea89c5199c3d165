"""What runs by itself: when, by which process, and how to have another scheduler do it."""
