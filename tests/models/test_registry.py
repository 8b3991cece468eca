"""Models by name."""

import pytest

from emimpute.errors import EMImputeError
from emimpute.models import registry
from emimpute.models.mvn import MVN


def test_by_name_and_as_an_object():
    own = MVN()
    assert isinstance(registry.get("mvn"), MVN)
    assert registry.get(own) is own


def test_a_name_nobody_knows_gets_the_nearest():
    with pytest.raises(EMImputeError, match="mvn"):
        registry.get("mvm")


@pytest.mark.parametrize("model", [3, None, object()])
def test_what_is_no_model(model):
    with pytest.raises(EMImputeError, match="model="):
        registry.get(model)
