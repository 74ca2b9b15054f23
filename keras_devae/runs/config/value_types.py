"""Types of the values of settings."""

import typing
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from keras_devae.checks import MOST_UNITS

#: A number of steps, images and the like, which 64 bits hold.
Count = Annotated[int, Ge(1), Lt(2**63)]
#: Units of a layer.
Width = Annotated[int, Ge(1), Le(MOST_UNITS)]
#: A number above 0; all numbers are finite.
Positive = Annotated[float, Gt(0)]
#: The path of a file or folder.
PathText = typing.NewType("PathText", str)
