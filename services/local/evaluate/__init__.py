"""Evaluation: is the lot that Bowei chooses the right one? The commands `bowei evaluate ...`.

policies    a seeded bench of ways to choose, against the optimum in hindsight
block       a morning of one block: what drivers, the gate and the lots' own customers get
forecasts   chances and means over recordings, forward in time
traffic     cars in a simulated town, steered by the routing service's own code
intervals   means with their 95 % intervals
keeping     results as JSON lines, resumable, with machine and commit
pages       tables written into a page of the docs
cli         the commands
"""
