"""One validator for whole numbers, so that bad input gets one clear line at the door."""

import operator


def whole_number(name, value, least=1, most=None):
    """`value` as an int. ValueError, naming the argument, when it is no whole number or outside least…most."""
    limit = f"≥ {least}" if most is None else f"{least}…{most}"
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)
    except TypeError:
        raise ValueError(f"{name} must be a whole number {limit}, got {value!r}") from None
    if number < least or (most is not None and number > most):
        raise ValueError(f"{name} must be a whole number {limit}, got {number}")
    return number
