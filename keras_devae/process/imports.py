"""Calls a function after an import, and keeps modules importable by their former names."""

from __future__ import annotations

import functools
import importlib
import importlib.abc
import importlib.machinery
import sys
import threading
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any


class CallOnceImported(importlib.abc.MetaPathFinder):
    """Calls a function once a module is imported and no module of a package is half imported.

    The function can then import anything from the package, even if one of the package's own modules
    triggered the import. The module must not be imported yet when this is created.
    """

    def __init__(self, name: str, package: str, function: Callable[[], object]):
        self._name = name
        self._package = package
        self._function = function
        self._under_way = threading.local()
        sys.meta_path.insert(0, self)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Asks the other finders, and tracks the execution of the modules concerned."""
        if fullname != self._name and not fullname.startswith(f"{self._package}."):
            return None
        others = (finder for finder in sys.meta_path if finder is not self)
        found = (finder.find_spec(fullname, path, target) for finder in others)
        spec = next(filter(None, found), None)
        if spec is not None and spec.loader is not None:
            execute = functools.partial(self._execute, spec.loader.exec_module)
            # Each module has its own loader, so this affects no other module.
            setattr(spec.loader, "exec_module", execute)  # noqa: B010
        return spec

    def _execute(
        self, execute: Callable[[types.ModuleType], None], module: types.ModuleType
    ) -> None:
        depth = getattr(self._under_way, "depth", 0)
        self._under_way.depth = depth + 1
        try:
            execute(module)
        finally:
            self._under_way.depth = depth
        if depth == 0 and self._name in sys.modules:
            try:
                sys.meta_path.remove(self)
            except ValueError:  # Another thread has called the function.
                return
            self._function()


def lazy_names(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Returns a package's `__getattr__` and `__dir__`, which import a name on first use.

    Args:
        package: Full name of the package.
        modules: Name -> the package's module that holds it, or `""` if it is a module itself.
    """

    def get(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if not modules[name]:
            return importlib.import_module(f"{package}.{name}")
        return getattr(importlib.import_module(f"{package}.{modules[name]}"), name)

    return get, lambda: sorted(modules)


class FormerModule(types.ModuleType):
    """Makes the module `present` (a full name) usable under its former name, with a warning."""

    def __init__(self, former: str, present: str):
        super().__init__(former, f"The former name of `{present}`.")
        self._present = present

    def __getattr__(self, name: str) -> object:
        if name.startswith("_"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(self._present), name)
        warn_of_former_name(self.__name__, self._present)
        return found


def warn_of_former_name(former: str, present: str) -> None:
    """Warns about a module's former name, at the line that triggered the calling `__getattr__`."""
    warnings.warn(
        f"{former} is now {present}; the old name will be removed in the next version.",
        DeprecationWarning,
        stacklevel=3,
    )
