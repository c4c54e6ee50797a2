"""ParAIsite: lattice thermal conductivity of crystals by transfer learning, with honest error bars.

Importing the package imports neither torch nor any file-format library; each room is imported on use:

>>> from paraisite.prediction import Predictor          # doctest: +SKIP
>>> Predictor.from_pretrained().predict(crystals)       # doctest: +SKIP
"""

__version__ = "0.2.0"
