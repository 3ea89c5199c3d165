"""Arrays in, numbers out: metrics, reliability and the calibrators."""
