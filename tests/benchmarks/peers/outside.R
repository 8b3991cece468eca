# One R peer on one table, timed in this process: Rscript outside.R NAME TABLE COLUMNS ESTIMATE. The same protocol as
# worker.py: "ready" with the processor seconds used by then, one line of JSON, and the estimate in a file, mean then
# covariance.
arguments <- commandArgs(trailingOnly = TRUE)
name <- arguments[1]
columns <- as.integer(arguments[3])
enough <- 2
most <- 7

of_table <- function(done) {
  done <- as.matrix(done)
  list(mean = colMeans(done), cov = cov(done) * (nrow(done) - 1) / nrow(done))
}

peers <- list(
  # Fortran EM to a relative change of 1e-5; without its estimate of the worst fraction, which takes most of its time.
  norm2 = function(x) {
    found <- norm2::emNorm(x, estimate.worst = FALSE)
    list(mean = found$param$beta, cov = found$param$sigma)
  },
  # C++ EM until no parameter moves by more than 1e-4, no bootstrap, then one random completion. Its parameters are those
  # of columns centred and scaled by their observed mean and sd, and sorted by how much they miss (its names for them are
  # in the order of the data, which is another).
  Amelia = function(x) {
    found <- suppressMessages(Amelia::amelia(x, m = 1, p2s = 0, boot.type = "none"))
    back <- order(order(colSums(is.na(x))))
    centre <- colMeans(x, na.rm = TRUE)
    scale <- apply(x, 2, sd, na.rm = TRUE)
    list(mean = centre + scale * found$mu[back, 1], cov = outer(scale, scale) * found$covMatrices[back, back, 1])
  },
  # EM for the saturated model, as a user asks for it.
  lavaan = function(x) {
    found <- lavaan::lavCor(as.data.frame(x), missing = "fiml", se = "none", output = "fit")
    moments <- lavaan::lavInspect(found, "sampstat")
    list(mean = as.numeric(moments$mean), cov = unclass(moments$cov))
  },
  # One chain of Bayesian regressions, five cycles.
  mice = function(x) {
    of_table(mice::complete(mice::mice(x, m = 1, method = "norm", printFlag = FALSE, seed = 1)))
  }
)

# Bytes that this process has held at most, where /proc tells.
peak <- function() {
  status <- tryCatch(readLines("/proc/self/status"), error = function(e) character(), warning = function(w) character())
  line <- grep("^VmHWM:", status, value = TRUE)
  if (length(line)) 1024 * as.numeric(gsub("[^0-9]", "", line)) else NA
}

quoted <- function(text) paste0('"', gsub("[\"\\\\\n]", " ", text), '"')

if (!requireNamespace(name, quietly = TRUE)) {
  cat(sprintf('{"missing": %s}\n', quoted(name)))
  quit(save = "no")
}
call <- peers[[name]]
read <- function(path) {
  x <- readBin(path, "double", file.size(path) / 8)
  x[is.nan(x)] <- NA
  matrix(x, ncol = columns, dimnames = list(NULL, paste0("x", seq_len(columns) - 1)))
}
x <- read(arguments[2])
set.seed(1)
small <- matrix(rnorm(800), ncol = 4, dimnames = list(NULL, letters[1:4]))
small[sample(800, 80)] <- NA
for (again in 1:3) try(suppressWarnings(call(small)), silent = TRUE)  # what is loaded or compiled at first use is no part
invisible(gc())
cat(sprintf("ready %.2f\n", sum(proc.time()[1:2])))
flush(stdout())

before <- peak()
runs <- character()
spent <- 0
while (length(runs) < most && spent < enough) {
  clock <- system.time(estimate <- tryCatch(suppressWarnings(call(x)), error = identity))
  if (inherits(estimate, "error")) {
    cat(sprintf('{"failed": %s}\n', quoted(conditionMessage(estimate))))
    quit(save = "no")
  }
  if (!length(runs)) held <- peak()
  runs <- c(runs, sprintf("[%.4f, %.4f]", clock[["user.self"]] + clock[["sys.self"]], clock[["elapsed"]]))
  spent <- spent + clock[["elapsed"]]
}
writeBin(as.numeric(c(estimate$mean, estimate$cov)), arguments[4])
bytes <- if (is.na(before)) "NaN" else sprintf("%.0f", held - before)
cat(sprintf('{"runs": [%s], "bytes": %s}\n', paste(runs, collapse = ", "), bytes))
