"""How much the estimates can be trusted: information, standard errors, fractions of missing information, tests."""
