"""The engine: it climbs, watches and stops, and knows neither a model's name nor a table."""

from emimpute.em.loop import Iterate, iterates
from emimpute.em.stop import Stop

__all__ = ["Iterate", "Stop", "iterates"]
