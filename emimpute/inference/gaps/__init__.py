"""Whether gaps are there by chance: the tests behind :mod:`emimpute.mechanism`."""
