"""Imitations of outside systems, written from their published specifications, with their limits, faults and own books."""
