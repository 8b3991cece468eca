"""``from emimpute.sklearn import EMImputer``: the imputer for scikit-learn's pipelines (extra ``sklearn``)."""

try:
    from emimpute.interfaces.sklearn import EMImputer
except ImportError as problem:
    if (problem.name or "").partition(".")[0] != "sklearn":
        raise
    msg = f"emimpute.sklearn needs scikit-learn 1.6 or later ({problem}): pip install 'emimpute[sklearn]'."
    raise ImportError(msg) from problem

__all__ = ["EMImputer"]
