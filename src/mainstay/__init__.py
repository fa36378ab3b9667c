"""Mainstay: the integration backbone of a shop."""

__version__ = "0.1.0"
