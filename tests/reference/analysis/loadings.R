# Loadings and their standard errors by lavaan, of correlations that two factors account for exactly:
# Rscript loadings.R > loadings.json. R 4.2.2 and lavaan 0.6-14.
suppressMessages(library(lavaan))
pattern <- cbind(c(.8, .7, .6, .5, .1, 0, .2), c(0, .2, .1, -.1, .7, .6, .5))
S <- pattern %*% t(pattern)
diag(S) <- 1
dimnames(S) <- list(letters[1:7], letters[1:7])
written <- function(x) paste0("[", paste(formatC(c(x), digits = 15, format = "g"), collapse = ", "), "]")
said <- function(name, rotation) {
  fit <- efa(
    sample.cov = S, ov.names = letters[1:7], sample.nobs = 400, sample.cov.rescale = FALSE, nfactors = 2, rotation = rotation,
    rotation.args = list(row.weights = "none", std.ov = TRUE, algorithm = "pairwise", tol = 1e-10, rstarts = 3L),
    output = "lavaan"
  )
  all <- standardizedSolution(fit)
  of <- all[all$op == "=~", ]
  unique <- all[all$op == "~~" & all$lhs == all$rhs & all$lhs %in% letters[1:7], ]
  cat(sprintf('"%s": {"loadings": %s, "se": %s, "unique_se": %s},\n', name, written(of$est.std), written(of$se), written(unique$se)))
}
cat("{\n")
said("varimax", "varimax")
cat('"corr": ', written(S), ', "nobs": 400, "software": "R 4.2.2, lavaan 0.6-14"\n}\n')
