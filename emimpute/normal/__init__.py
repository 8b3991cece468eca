"""Normal numbers in intervals and boxes: probabilities, moments, draws. NumPy arrays in and out; knows no model."""
