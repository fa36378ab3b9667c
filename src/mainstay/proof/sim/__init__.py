"""The whole system in one thread: the product's own rooms between twins, with time, chance, network and crashes drawn from a seed."""
