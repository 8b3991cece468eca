"""What follows from a fitted law: completed frames and the cells that were filled."""
