"""Bowei's own protocol: batches of observations and passages as JSON, an answer for each item.

api       HTTP in, HTTP out          params       bodies of requests and answers
reading   a batch, item by item      describing   for OpenAPI
direct    the hot addresses, in front of FastAPI
signing   reports signed instead of sent with a key
"""
