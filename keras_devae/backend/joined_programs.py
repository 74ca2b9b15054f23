"""Programs that differ only in numbers, joined to one program that takes these as inputs.

Programs are JAX's: a `ClosedJaxpr` is a list of equations, in which a Python number such as a
weight of the loss stands as a literal. `jax.extend.core`, here `core`, is passed by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_devae.checks import Array

#: Equations that call one program, and the parameter that holds it.
_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "checkpoint": "jaxpr",
    "closed_call": "call_jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}


class FormsDifferError(Exception):
    """Programs differ in more than numbers."""


class JoinedProgram:
    """One program for several that differ only in numbers, and these numbers.

    Attributes:
        program: The program, a `ClosedJaxpr`. Its first inputs are the numbers.
        numbers: For each of these inputs the values of all programs, `(programs, ...)`.

    Raises:
        FormsDifferError: If they differ in more: in an operation, a shape, or a number inside of a
            loop.
    """

    def __init__(self, core: Any, programs: Sequence[Any]) -> None:
        self._core, self._new = core, core.gensym()
        self._inputs: list[Any] = []
        self._constants: dict[Any, Any] = {}
        self.numbers: list[Array] = []
        bodies = [program.jaxpr for program in programs]
        inputs = self._new_like(_agreed([_kinds(body.invars) for body in bodies]))
        equations, outputs = self._inlined(bodies, [program.consts for program in programs], inputs)
        body = bodies[0].replace(
            constvars=list(self._constants),
            invars=[*self._inputs, *inputs],
            eqns=equations,
            outvars=outputs,
        )
        self.program = core.ClosedJaxpr(body, list(self._constants.values()))

    def _new_like(self, kinds):
        return [self._new(kind) for kind in kinds]

    def _inlined(self, bodies, constants, inputs):
        """Returns the joined equations of programs for given inputs, and their outputs."""
        _agreed([(len(body.eqns), len(body.outvars), len(body.constvars)) for body in bodies])
        names = [dict(zip(body.invars, inputs, strict=True)) for body in bodies]
        kinds = _agreed([_kinds(body.constvars) for body in bodies])
        for number, kind in enumerate(kinds):
            atom = self._constant([values[number] for values in constants], kind)
            for known, body in zip(names, bodies, strict=True):
                known[body.constvars[number]] = atom
        equations = []
        for each in zip(*(body.eqns for body in bodies), strict=True):
            arguments = self._atoms([equation.invars for equation in each], names)
            results = self._results(each, arguments, equations)
            for known, equation in zip(names, each, strict=True):
                known.update(zip(equation.outvars, results, strict=True))
        return equations, self._atoms([body.outvars for body in bodies], names)

    def _atoms(self, lists, names):
        """Returns the joined inputs of an equation, from the inputs in all programs."""
        _agreed([len(atoms) for atoms in lists])
        return [self._atom(atoms, names) for atoms in zip(*lists, strict=True)]

    def _atom(self, atoms, names):
        if not any(_is_literal(atom) for atom in atoms):
            found = [known[atom] for known, atom in zip(names, atoms, strict=True)]
            if any(other is not found[0] for other in found):
                raise FormsDifferError
            return found[0]
        if not all(_is_literal(atom) for atom in atoms):
            raise FormsDifferError
        (kind,) = _agreed([_kinds([atom]) for atom in atoms])
        values = [atom.val for atom in atoms]
        return atoms[0] if _are_equal(values) else self._number(values, kind)

    def _number(self, values, kind):
        self.numbers.append(np.stack([np.asarray(value, kind.dtype) for value in values]))
        self._inputs.append(self._new(kind))
        return self._inputs[-1]

    def _constant(self, values, kind):
        if not _are_equal(values):
            return self._number(values, kind)
        variable = self._new(kind)
        self._constants[variable] = values[0]
        return variable

    def _results(self, each, arguments, equations):
        """Adds the joined equation, or those of the program that it calls; returns its results."""
        first, name = each[0], each[0].primitive.name
        if any(equation.primitive is not first.primitive for equation in each):
            raise FormsDifferError
        kinds = _agreed([_kinds(equation.outvars) for equation in each])
        _agreed([set(equation.params) for equation in each])
        # What these say of derivatives is not needed any more, and cannot be compared.
        always = name.startswith("custom_")
        if not always and all(
            self._are_same([equation.params[key] for equation in each]) for key in first.params
        ):
            results = self._new_like(kinds)
            equations.append(first.replace(invars=arguments, outvars=results))
            return results
        if name in _CALLS:
            called = [equation.params[_CALLS[name]] for equation in each]
            return self._called(called, arguments, equations)
        if name == "cond":
            return self._chosen(each, arguments, kinds, equations)
        raise FormsDifferError

    def _called(self, programs, arguments, equations):
        bodies = [getattr(program, "jaxpr", program) for program in programs]
        constants = [getattr(program, "consts", ()) for program in programs]
        inner, results = self._inlined(bodies, constants, arguments)
        equations += inner
        return results

    def _chosen(self, each, arguments, kinds, equations):
        """Computes all branches and chooses among their results, as JAX does for several runs."""
        which, *operands = arguments
        branches = zip(*(equation.params["branches"] for equation in each), strict=True)
        cases = [self._called(programs, operands, equations) for programs in branches]
        select, results = self._core.primitives.select_n_p, self._new_like(kinds)
        for result, *values in zip(results, *cases, strict=True):
            equations.append(
                self._core.new_jaxpr_eqn(
                    [which, *values], [result], select, {}, self._core.no_effects
                )
            )
        return results

    def _are_same(self, values):
        """Tells whether a parameter is the same in all programs; numbers inside of it may differ.

        Raises:
            FormsDifferError: If it differs in more than numbers.
        """
        first = values[0]
        if all(value is first for value in values):
            return True
        if isinstance(first, self._core.Jaxpr):
            values = [self._core.ClosedJaxpr(value, ()) for value in values]
            first = values[0]
        if isinstance(first, self._core.ClosedJaxpr):
            return not JoinedProgram(self._core, values).numbers
        if isinstance(first, (tuple, list)):
            _agreed([len(value) for value in values])
            return all(self._are_same(parts) for parts in zip(*values, strict=True))
        if _are_functions(values):
            return True
        _agreed(values)
        return True


def _kinds(atoms):
    """Returns shapes and dtypes."""
    return [atom.aval for atom in atoms]


def _agreed(values):
    """Returns the value that all programs have."""
    if any(not np.all(other == values[0]) for other in values[1:]):
        raise FormsDifferError
    return values[0]


def _is_literal(atom):
    return hasattr(atom, "val")


def _are_equal(values):
    """Tells whether arrays have the same bits."""
    arrays = [np.asarray(value) for value in values]
    return all(
        array.shape == arrays[0].shape and array.tobytes() == arrays[0].tobytes()
        for array in arrays
    )


def _are_functions(values):
    """Tells whether values are functions of Python of the same name.

    Each trace makes its own; models that call the host are only joined if their options agree.
    """
    functions = [getattr(value, "callback_func", value) for value in values]
    names = {getattr(function, "__qualname__", None) for function in functions}
    return all(map(callable, functions)) and None not in names and len(names) == 1
