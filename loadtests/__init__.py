"""Measurements: what the design costs, as ratios to its own parts and to other designs, in one run on one machine.

python -m loadtests [ledger]     runs what is named, or all; prints a table and writes results/latest.json

ledger    placing holds: group commit against one transaction each, alone, on one hot lot, and under ingest
ingesting what lots say meanwhile, from a process of its own
peers     the other designs, each as small as it can be
account   rows of ratios, printed and kept
"""
