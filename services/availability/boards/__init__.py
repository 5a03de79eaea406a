"""What a board shows: a few lines that a driver reads at a glance, with the numbers that the lot list has.

A board is of a hospital (its own lot, then the lots that serve it best now), of a block, or of one lot. Web boards and
outdoor signs show the same lines, because both are cut from the same snapshot.

    showing    how a lot is said in one number or word      lines  which lots, in which order, with which arrow
    arrows     which way a lot lies from the board          asking what a board's address may say of it
    views, api  bodies and addresses
"""
