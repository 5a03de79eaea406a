"""A morning of one block, event by event: what drivers, the gate and the lots' own customers get from each policy.

scene       the hospital, seven lots, and everyone who comes on a day, from a seed
driving     a day under a policy, event by event
policies    queue and wait, nearest by air, nearest shown free
product     ours: the product's own rules, fed with what it would know
hindsight   the optimum for who comes to the hospital, when all is known
benching    all policies in all cases on all days, kept and resumed
tables      the tables of docs/evaluation.md
command     `bowei evaluate block`
"""
