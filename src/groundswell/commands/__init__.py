"""The commands: each a face of a function that can be called without it."""
