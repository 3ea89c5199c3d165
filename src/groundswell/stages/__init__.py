"""What we know: pure functions, one stage a file; no stage imports another."""
