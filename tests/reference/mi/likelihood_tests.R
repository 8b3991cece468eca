# D3 and D4 of mice and mitml for the ten completed files of nhanes; writes likelihood_tests.json.
# Rscript likelihood_tests.R, in this folder. R 4.2.2, mice 3.15.0, mitml 0.4-4, jsonlite.
suppressMessages({library(mice); library(mitml)})
files <- sprintf("nhanes_imp%02d.csv", 1:10)
frames <- lapply(files, function(file) transform(read.csv(file), high = 1 * (chl > 190)))
each <- function(f) lapply(frames, f)
row <- function(test) setNames(as.list(as.numeric(test)), c("F", "df1", "df2", "p", "riv"))
of_mice <- function(one, other) {
  result <- D3(as.mira(one), as.mira(other))$result
  row(result)
}
of_mitml <- function(one, other, method) row(testModels(one, other, method = method)$test[1, ])
# Meng and Rubin's formulas with the densities of R: mitml has them for lm only, and mice something else.
by_hand <- function(one, other, density) {
  at <- function(fits, coefs) mapply(function(fit, beta) {
    eta <- drop(model.matrix(fit) %*% beta)
    sum(density(fit$y, eta))
  }, fits, coefs)
  sides <- lapply(list(one, other), function(fits) {
    own <- lapply(fits, coef)
    list(own = at(fits, own), mean = at(fits, rep(list(Reduce(`+`, own) / length(own)), length(own))))
  })
  m <- length(one)
  k <- length(coef(one[[1]])) - length(coef(other[[1]]))
  own <- 2 * mean(sides[[1]]$own - sides[[2]]$own)
  apart <- 2 * mean(sides[[1]]$mean - sides[[2]]$mean)
  r <- (m + 1) / (k * (m - 1)) * (own - apart)
  f <- apart / (k * (1 + r))
  t <- k * (m - 1)
  w <- 4 + (t - 4) * (1 + (1 - 2 / t) / r)^2
  row(c(f, k, w, pf(f, k, w, lower.tail = FALSE), r))
}
linear <- list(
  each(function(d) lm(chl ~ age + bmi + hyp, data = d)),
  each(function(d) lm(chl ~ age, data = d))
)
logit <- list(
  each(function(d) glm(high ~ bmi + hyp, data = d, family = binomial, control = list(epsilon = 1e-14, maxit = 100))),
  each(function(d) glm(high ~ 1, data = d, family = binomial, control = list(epsilon = 1e-14, maxit = 100)))
)
poisson <- list(
  each(function(d) glm(age ~ bmi + chl, data = d, family = "poisson", control = list(epsilon = 1e-14, maxit = 100))),
  each(function(d) glm(age ~ bmi, data = d, family = "poisson", control = list(epsilon = 1e-14, maxit = 100)))
)
out <- list(
  linear = list(
    formulas = c("chl ~ age + bmi + hyp", "chl ~ age"),
    mice_D3 = of_mice(linear[[1]], linear[[2]]),
    mitml_D3 = of_mitml(linear[[1]], linear[[2]], "D3"), mitml_D4 = of_mitml(linear[[1]], linear[[2]], "D4")
  ),
  logit = list(
    formulas = c("high ~ bmi + hyp", "high ~ 1"),
    mice_D3 = of_mice(logit[[1]], logit[[2]]),
    by_hand_D3 = by_hand(logit[[1]], logit[[2]], function(y, eta) dbinom(y, 1, plogis(eta), log = TRUE)),
    mitml_D4 = of_mitml(logit[[1]], logit[[2]], "D4")
  ),
  poisson = list(
    formulas = c("age ~ bmi + chl", "age ~ bmi"),
    mice_D3 = of_mice(poisson[[1]], poisson[[2]]),
    by_hand_D3 = by_hand(poisson[[1]], poisson[[2]], function(y, eta) dpois(y, exp(eta), log = TRUE)),
    mitml_D4 = of_mitml(poisson[[1]], poisson[[2]], "D4")
  )
)
writeLines(jsonlite::toJSON(out, digits = 15, auto_unbox = TRUE, pretty = TRUE), "likelihood_tests.json")
