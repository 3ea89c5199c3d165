"""Who is told what goes wrong: what a run is worth telling, through which channels, and never twice."""
