"""Figures: functions that draw into matplotlib's axes, and what figures of all rooms share.

>>> import paraisite
>>> ax = paraisite.plots.parity(true, predicted)                # doctest: +SKIP
"""

from paraisite.plots.charts import calibration, intervals, parity, temperature
from paraisite.plots.periodic_table import by_element, elements

__all__ = ["by_element", "calibration", "elements", "intervals", "parity", "temperature"]
