"""Reads the landscape, builds everything, starts it: the one place where configuration, clock and chance enter."""

FACE = ()
