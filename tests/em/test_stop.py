"""Why a run ended, as a sentence."""

from emimpute.em import Stop


def test_every_stop_is_a_sentence():
    """The repr, the warning and the docs all print it."""
    for stop in Stop:
        assert stop.value[0].isupper()
        assert stop.value.endswith(".")
        assert "\n" not in stop.value
    assert len({stop.value for stop in Stop}) == len(Stop)


def test_only_a_maximum_reads_as_success():
    assert {stop for stop in Stop if stop.success} == {Stop.CONVERGED, Stop.NOTHING_MISSING}
