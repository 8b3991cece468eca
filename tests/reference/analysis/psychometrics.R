# Alpha, one and five factors of the complete rows of bfi, by psych and factanal: Rscript psychometrics.R > bfi.json
# Run with R 4.2.2 and psych 2.2.9, from this folder.
suppressMessages(library(psych))
b <- read.csv("../../../emimpute/datasets/bfi.csv")[, 1:25]
b <- b[complete.cases(b), ]
written <- function(x) paste0("[", paste(formatC(unname(x), digits = 15, format = "g"), collapse = ", "), "]")
a <- alpha(b[, 1:5], keys = "A1", warnings = FALSE)
x <- b[, 1:5]
x[, 1] <- 7 - x[, 1]
one <- factanal(x, 1, control = list(opt = list(factr = 1e2)))
five <- factanal(b, 5, rotation = "none", control = list(nstart = 5, opt = list(factr = 1e2)))
cat("{\n")
cat('"software": "R 4.2.2, psych 2.2.9",\n')
cat('"rows":', nrow(b), ",\n")
cat('"raw_alpha":', written(a$total$raw_alpha), ",\n")
cat('"std_alpha":', written(a$total$std.alpha), ",\n")
cat('"r_drop":', written(a$item.stats$r.drop), ",\n")
cat('"alpha_drop":', written(a$alpha.drop$raw_alpha), ",\n")
cat('"std_alpha_drop":', written(a$alpha.drop$std.alpha), ",\n")
cat('"one_loadings":', written(one$loadings[, 1]), ",\n")
cat('"one_unique":', written(one$uniquenesses), ",\n")
cat('"five_unique":', written(five$uniquenesses), ",\n")
cat('"five_chi2":', written(five$STATISTIC), "\n")
cat("}\n")
