"""Fuzzing: what nobody would send, a million times. `make fuzz` runs all of it and keeps the figures.

    parsers    what reads bytes of strangers: each with the refusals that are its own
    addresses  the ingest app in memory, any bytes posted to any of its addresses
    guided     one of these under atheris: inputs that reach new code are kept and varied (a process of its own)
    described  every operation of every service, by its own OpenAPI document (schemathesis)
    account    what is counted: inputs, the slowest, memory; and what counts as a fault

A fault is an exception that is not the parser's own refusal, an answer of 5xx other than 503, an input that takes over
a second twice, or memory that goes on growing.
"""
