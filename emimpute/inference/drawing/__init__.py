"""Proper draws: parameters as uncertain as the data leave them, gaps drawn given them, and the frames they make."""
