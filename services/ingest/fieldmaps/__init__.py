"""Feeds in the sender's own shape, read by a field map: a YAML file, and no code per vendor (docs/feeds/field-maps.md).

feed       a push, as the feeds file describes it
"""
