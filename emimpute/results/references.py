"""What a paper cites that tells of a fit, each once, by a short name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["REFERENCES", "cited"]

REFERENCES = {
    "anderson": (
        "Anderson, T. W. (1957). Maximum likelihood estimates for a multivariate normal distribution when some "
        "observations are missing. Journal of the American Statistical Association, 52(278), 200-203. "
        "https://doi.org/10.1080/01621459.1957.10501379"
    ),
    "dempster": (
        "Dempster, A. P., Laird, N. M., & Rubin, D. B. (1977). Maximum likelihood from incomplete data via the EM "
        "algorithm. Journal of the Royal Statistical Society: Series B, 39(1), 1-38. "
        "https://doi.org/10.1111/j.2517-6161.1977.tb01600.x"
    ),
    "hausman": (
        "Hausman, J. A., & Wise, D. A. (1978). A conditional probit model for qualitative choice: Discrete decisions "
        "recognizing interdependence and heterogeneous preferences. Econometrica, 46(2), 403-426. "
        "https://doi.org/10.2307/1913909"
    ),
    "little": (
        "Little, R. J. A. (1988). A test of missing completely at random for multivariate data with missing values. "
        "Journal of the American Statistical Association, 83(404), 1198-1202. "
        "https://doi.org/10.1080/01621459.1988.10478722"
    ),
    "minka": (
        "Minka, T. P. (2001). Expectation propagation for approximate Bayesian inference. In Proceedings of the 17th "
        "Conference on Uncertainty in Artificial Intelligence (pp. 362-369). https://doi.org/10.48550/arXiv.1301.2294"
    ),
    "nocedal": (
        "Nocedal, J. (1980). Updating quasi-Newton matrices with limited storage. Mathematics of Computation, 35(151), "
        "773-782. https://doi.org/10.1090/S0025-5718-1980-0572855-7"
    ),
    "olsson": (
        "Olsson, U. (1979). Maximum likelihood estimation of the polychoric correlation coefficient. Psychometrika, "
        "44(4), 443-460. https://doi.org/10.1007/BF02296207"
    ),
    "opper": (
        "Opper, M., Paquet, U., & Winther, O. (2013). Perturbative corrections for approximate inference in Gaussian "
        "latent variable models. Journal of Machine Learning Research, 14, 2857-2898. "
        "https://jmlr.org/papers/v14/opper13a.html"
    ),
    "rubin1976": (
        "Rubin, D. B. (1976). Inference and missing data. Biometrika, 63(3), 581-592. "
        "https://doi.org/10.1093/biomet/63.3.581"
    ),
    "rubin1987": (
        "Rubin, D. B. (1987). Multiple imputation for nonresponse in surveys. Wiley. "
        "https://doi.org/10.1002/9780470316696"
    ),
    "schafer": (
        "Schafer, J. L. (1997). Analysis of incomplete multivariate data. Chapman & Hall. "
        "https://doi.org/10.1201/9781439821862"
    ),
    "stewart": (
        "Stewart, M. B. (1983). On least squares estimation when the dependent variable is grouped. The Review of "
        "Economic Studies, 50(4), 737-753. https://doi.org/10.2307/2297773"
    ),
    "tobin": (
        "Tobin, J. (1958). Estimation of relationships for limited dependent variables. Econometrica, 26(1), 24-36. "
        "https://doi.org/10.2307/1907382"
    ),
    "vonhippel": (
        "von Hippel, P. T. (2004). Biases in SPSS 12.0 missing value analysis. The American Statistician, 58(2), "
        "160-164. https://doi.org/10.1198/0003130043204"
    ),
    "yeo": (
        "Yeo, I.-K., & Johnson, R. A. (2000). A new family of power transformations to improve normality or symmetry. "
        "Biometrika, 87(4), 954-959. https://doi.org/10.1093/biomet/87.4.954"
    ),
}


def cited(names: Iterable[str]) -> tuple[str, ...]:
    """The references of those names, in the order of their authors.

    >>> [reference.split(",")[0] for reference in cited(["tobin", "dempster", "tobin"])]
    ['Dempster', 'Tobin']
    """
    return tuple(sorted({REFERENCES[name] for name in names}, key=str.casefold))
