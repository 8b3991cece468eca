# %% [markdown]
# # A first look
# What is missing in a table, filling it, and reading how it went. The data are weather readings at five buoys in the
# Pacific.

# %%
import pandas as pd

import emimpute
from emimpute import datasets

tao = datasets.load("tao")
print(tao.em.patterns())
print(tao.em.coverage().loc["Air_Temp", "Humidity"], "rows have both air temperature and humidity")

# %% [markdown]
# ## Fill, and keep the fit

# %%
fits: list[emimpute.Fit] = []
done = tao.em.impute(report=fits.append)
fit = fits[0]
print(fit)
assert fit.converged
assert done.notna().all(axis=None)

# %% [markdown]
# ## How it went
# One row an iterate. `remaining` is the estimated distance to the maximum, in standard deviations and correlations.

# %%
print(fit.trace[["loglik", "remaining", "esteps"]].tail())

# %% [markdown]
# ## How sure is a filled cell?

# %%
cells = fit.cells()
print(cells.groupby("column")["sd"].describe()[["count", "min", "max"]].round(2))

# %% [markdown]
# ## Means and correlations come from the fit
# Gaps filled by expectations vary too little: compare the standard deviation of humidity in the completed table with
# the fit's own.

# %%
sd = pd.Series({"completed": done["Humidity"].std(ddof=0), "fit": fit.cov.loc["Humidity", "Humidity"] ** 0.5})
print(sd.round(3))
assert sd["completed"] < sd["fit"]

# %% [markdown]
# ## New rows, another day
# The fit is a small JSON document without any row of the data.

# %%
again = emimpute.read_json(fit.to_json())
rows = tao.head(3).assign(Humidity=float("nan"))
print(again.impute(rows))
