"""The peers of the benchmarks: who they are, the tables they are run on, and how one run is timed.

``tables`` makes the data; ``inside`` calls the peers that are Python, ``outside.R`` those that are R; ``worker`` times
a Python peer in a process of its own; ``runs`` starts such a process, for either language, and reads what it says.
"""
