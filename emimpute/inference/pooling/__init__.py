"""One answer from many imputations, by Rubin's rules, and tests of several coefficients at once."""
