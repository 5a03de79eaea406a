"""ParkAPI's generic push: what the tools of European cities send, answered as they expect (docs/feeds/parkapi.md).

reading   an item, to what it says here          api   HTTP in, HTTP out
"""
