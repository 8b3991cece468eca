"""Simulations of columns of several kinds: whose truth is known, and what an imputation of them is judged by.

``data`` makes the tables and their gaps; ``errors`` are the measures; ``truth`` fills gaps by the true parameters;
``peer`` runs gcimpute, in a process of its own (``worker``).
"""
