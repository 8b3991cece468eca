"""Doors to the outside: the accessor and the command line. Each translates, none computes."""
