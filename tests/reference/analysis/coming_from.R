# What docs/coming-from.md sets beside our numbers: Amelia, mice and lavaan on tables that can be had by anyone.
# Rscript tests/reference/analysis/coming_from.R   (in the root of the repository; writes coming_from.json beside this)
suppressPackageStartupMessages({library(mice); library(Amelia); library(lavaan); library(jsonlite)})
tao <- read.csv("emimpute/datasets/tao.csv")
formula <- Air_Temp ~ Humidity + UWind
m <- 100

pooled <- function(fits) {
  p <- pool(as.mira(fits))$pooled
  list(terms = as.character(p$term), estimate = p$estimate, se = sqrt(p$t), df = p$df, fmi = p$fmi,
       mc_error = sqrt(p$b / m))
}

set.seed(1)
amelia_fits <- lapply(amelia(tao, m = m, p2s = 0)$imputations, function(d) lm(formula, d))
imputed <- mice(tao, m = m, method = "norm", maxit = 10, seed = 1, printFlag = FALSE)
mice_fits <- lapply(seq_len(m), function(i) lm(formula, complete(imputed, i)))

saturated <- paste(c("age ~~ bmi + hyp + chl", "bmi ~~ hyp + chl", "hyp ~~ chl"), collapse = "\n")
fiml <- cfa(saturated, nhanes, missing = "fiml", fixed.x = FALSE, meanstructure = TRUE)
means <- subset(parameterEstimates(fiml), op == "~1")

write_json(list(
  about = paste("tao: lm(Air_Temp ~ Humidity + UWind) pooled over", m, "imputations; nhanes: saturated model by FIML"),
  versions = list(R = as.character(getRversion()), Amelia = as.character(packageVersion("Amelia")),
                  mice = as.character(packageVersion("mice")), lavaan = as.character(packageVersion("lavaan"))),
  amelia = pooled(amelia_fits),
  mice_norm = pooled(mice_fits),
  lavaan = list(columns = means$lhs, mean = means$est, se = means$se, loglik = as.numeric(fitMeasures(fiml, "logl")))
), "tests/reference/analysis/coming_from.json", digits = NA, pretty = TRUE, auto_unbox = TRUE)
