"""Names of networks: the package's own, and a user's functions as `module:function`.

This imports no Keras, and a user's module only where a function is asked for.
"""

import importlib
import importlib.util
import operator
import os
import sys
from collections.abc import Callable
from typing import Any, TypeGuard

from keras_devae.checks import one_of
from keras_devae.errors import FailureError, UsageError, ran_out_of_memory
from keras_devae.models.declarations import NETWORK_NAMES


def is_function_name(network: object) -> TypeGuard[str]:
    """Returns whether a name stands for a user's function."""
    return isinstance(network, str) and ":" in network


def check_network_name(network: str) -> str:
    """Checks and returns the name of a network of a model that is trained; imports nothing."""
    if not is_function_name(network):
        return one_of("network", network, (*NETWORK_NAMES, "MODULE:FUNCTION"))
    _check_function_name(network, "network")
    return network


def _check_function_name(name: str, what: str) -> None:
    module, _, function = name.partition(":")
    parts = (*module.split("."), *function.split("."))
    if not all(part.isidentifier() for part in parts) or parts[-2:-1] == ("py",):
        raise UsageError(
            f"Your own {what} is named MODULE:FUNCTION, without path and without `.py`, such as "
            f"my_module:build for the function `build` in my_module.py. Received: {name}."
        )


def _search_working_directory() -> None:
    """Lets modules of the working directory be imported, as `python -m` does."""
    folder = os.getcwd()
    if folder not in sys.path and "" not in sys.path:
        sys.path.insert(0, folder)


def check_module_exists(network: str) -> None:
    """Raises a `UsageError` if a function's module is nowhere; does not import the module."""
    module = network.partition(":")[0]
    _search_working_directory()
    package = module.partition(".")[0]
    if package not in sys.modules and importlib.util.find_spec(package) is None:
        raise _missing(network, module, "network")


def function_of(name: str, what: str = "network") -> Callable[..., Any]:
    """Imports a function by its name, `module:function`, also from the working directory.

    `what` says in messages what the function stands for.

    Raises:
        UsageError: If there is no such module or function, or the module cannot be imported.
    """
    _check_function_name(name, what)
    module_name, _, path = name.partition(":")
    _search_working_directory()
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name and f"{module_name}.".startswith(f"{error.name}."):
            raise _missing(name, module_name, what) from None
        raise _failed(name, error, what) from error
    except (UsageError, FailureError):
        raise
    except Exception as error:
        raise _failed(name, error, what) from error
    try:
        function = operator.attrgetter(path)(module)
    except AttributeError:
        raise UsageError(
            f"The {what} {name} does not exist: {module.__name__}, in "
            f"{getattr(module, '__file__', None)}, has no `{path}`."
        ) from None
    if not callable(function):
        raise UsageError(
            f"The {what} {name} must be a function. Received: a value of type "
            f"{type(function).__name__}."
        )
    return function


def _missing(name, module, what):
    return UsageError(
        f"The {what} {name} cannot be found: there is no module {module} in {os.getcwd()} or "
        "on PYTHONPATH. Run the command in the folder that holds it, or add that folder to "
        "PYTHONPATH."
    )


def _failed(name, error, what):
    if ran_out_of_memory(error):
        return error
    return UsageError(
        f"The module of the {what} {name} cannot be imported: {type(error).__name__}: {error}."
    )
