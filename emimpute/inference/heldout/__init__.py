"""What a fit says of rows it has not seen: the ridge that predicts them best, and overimputation."""
