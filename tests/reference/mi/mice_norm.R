# Regressions pooled over mice's imputations by Bayesian normal regression (method "norm") instead of predictive mean
# matching, of the tables whose other regressions substantive_models.json holds:
# Rscript mice_norm.R > mice_norm.json
suppressMessages(library(mice))
suppressMessages(library(jsonlite))

m <- 200
pooled <- function(data, formula) {
  drawn <- mice(data, m = m, method = "norm", maxit = 20, printFlag = FALSE, seed = 1)
  found <- pool(lapply(complete(drawn, "all"), function(d) lm(formula, d)))
  table <- summary(found)
  list(m = m, terms = as.character(table$term), estimate = table$estimate, se = table$std.error,
       riv = found$pooled$riv)
}
out <- list(
  version = unbox(as.character(packageVersion("mice"))),
  airquality = pooled(airquality[c("Ozone", "Solar.R", "Wind", "Temp")], Ozone ~ Solar.R + Wind + Temp),
  nhanes = pooled(nhanes, chl ~ age + bmi)
)
for (name in c("airquality", "nhanes")) out[[name]]$m <- unbox(out[[name]]$m)
cat(toJSON(out, digits = NA, pretty = TRUE), "\n")
