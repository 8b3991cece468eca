"""What follows from means and covariances: regressions, reliability, scores of scales, factors."""
