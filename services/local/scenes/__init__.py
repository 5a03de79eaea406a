"""Scenes that come with the project: who shares with whom, made for the demo.

    hangzhou.yaml, hangzhou_streets.geojson    the block around the First Hospital
    city                                       26 hospitals, made by a rule

The registry judges them as it judges any other (docs/scene-file.md).
"""
