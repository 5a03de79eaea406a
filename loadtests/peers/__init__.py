"""Other designs, written as well as their authors would, to be measured beside ours.

one_transaction   holds as most booking servers place them: a transaction each
bare_decision     the ceilings of a decision over HTTP
near_and_hold     the design that comes first to mind: FastAPI, and Redis that finds the nearest and takes one
bare_batches      the ceiling of recording            bare_stream   the ceiling of showing
bare_bytes        the ceiling of reading
parking_policies  other ways to send drivers to lots, for `bowei evaluate policies --peers`
"""
