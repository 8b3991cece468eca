# Air temperature on humidity and wind, of the bundled `tao` data, by mice, by Amelia, and from the complete rows.
# Run from the repository's root: Rscript tests/reference/mi/tao_regression.R
# Columns: program, term, estimate, se, df, fmi. m = 200, so that Monte-Carlo error is small.
suppressMessages({library(mice); library(Amelia)})
tao <- read.csv("emimpute/datasets/tao.csv")
model <- Air_Temp ~ Humidity + UWind
table <- function(program, s) data.frame(program, term = s$term, estimate = s$estimate, se = s$std.error, df = s$df, fmi = s$fmi)

imputed <- mice(tao, m = 200, method = "norm", maxit = 20, seed = 1, printFlag = FALSE)
fits <- with(imputed, lm(Air_Temp ~ Humidity + UWind))
pooled <- pool(fits)
s <- summary(pooled); s$fmi <- pooled$pooled$fmi
from_mice <- table(paste("mice", packageVersion("mice"), "norm"), s)

set.seed(1)
drawn <- amelia(tao, m = 200, p2s = 0)
pooled <- pool(as.mira(lapply(drawn$imputations, function(d) lm(model, d))))
s <- summary(pooled); s$fmi <- pooled$pooled$fmi
from_amelia <- table(paste("Amelia", packageVersion("Amelia")), s)

complete <- lm(model, tao)
s <- data.frame(term = names(coef(complete)), estimate = coef(complete), std.error = sqrt(diag(vcov(complete))),
                df = complete$df.residual, fmi = 0)
result <- rbind(from_mice, from_amelia, table("complete rows", s))
write.csv(result, "tests/reference/mi/tao_regression.csv", row.names = FALSE)
print(result)
