"""What comes out: a frozen fit, how it prints, how it is written and read, and how it is told."""
