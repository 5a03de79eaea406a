"""Scenes that come with the project: who shares with whom, made for the demo."""
