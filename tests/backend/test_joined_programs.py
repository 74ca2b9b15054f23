"""Programs that differ only in numbers, joined to one."""

import numpy as np
import pytest

from keras_devae.backend.interface import active
from keras_devae.backend.joined_programs import FormsDifferError, JoinedProgram

pytestmark = [
    pytest.mark.backends,
    pytest.mark.skipif(not active().trains_together, reason="programs of this backend differ"),
]


def joined(functions, *arguments):
    import jax
    import jax.extend.core
    import jax.extend.core.primitives

    programs = [jax.make_jaxpr(function)(*arguments) for function in functions]
    return JoinedProgram(jax.extend.core, programs)


def check(make, numbers, *arguments, count):
    """Checks that the joined program computes what each function does, and takes few numbers."""
    import jax.extend.core

    functions = [make(number) for number in numbers]
    found = joined(functions, *arguments)
    assert len(found.numbers) == count
    for position, function in enumerate(functions):
        own = [values[position] for values in found.numbers]
        results = jax.extend.core.jaxpr_as_fun(found.program)(*own, *arguments)
        expected = jax.tree.leaves(function(*arguments))
        for result, value in zip(results, expected, strict=True):
            np.testing.assert_array_equal(result, value)


X = np.linspace(-1, 2, 6, dtype=np.float32).reshape(2, 3)


def test_numbers_become_inputs_wherever_they_stand():
    import jax
    import jax.numpy as jnp

    def make(number):
        inner = jax.jit(lambda x: jnp.sin(x) * number)
        table = np.arange(3, dtype=np.float32) * number

        def function(x):
            both = jax.lax.cond(x[0, 0] > 0, lambda x: x * number, lambda x: x - number, x)
            return inner(x) + number, inner(inner(x)), x @ table, both, jnp.maximum(x, 0.5)

        return function

    check(make, [1.0, 2.0, -3.5], X, count=7)
    # Nothing differs, so nothing is taken apart.
    check(make, [2.0, 2.0], X, count=0)


def test_a_gradient_through_functions_with_one_of_their_own():
    import jax
    import jax.numpy as jnp

    def make(number):
        @jax.custom_vjp
        def scaled(x):
            return x * number

        scaled.defvjp(lambda x: (scaled(x), None), lambda _, upstream: (upstream * 2 * number,))
        return lambda x: (jax.grad(lambda x: jnp.sum(jax.nn.relu(scaled(x))))(x), scaled(x))

    check(make, [1.0, 3.0], X, count=3)


def test_loops_whose_numbers_agree():
    import jax

    def make(number):
        return lambda x: jax.lax.fori_loop(0, 3, lambda _, y: y * 1.5 + 1, x) * number

    check(make, [1.0, 3.0], X, count=1)


@pytest.mark.parametrize(
    "make",
    [
        lambda jax, n: lambda x: x + n if n > 1 else x * n,
        lambda jax, n: lambda x: x[:, :n],
        lambda jax, n: lambda x: (x, x)[n - 1] + (x * 2, x)[n - 1],
        lambda jax, n: lambda x: jax.lax.fori_loop(0, 3, lambda _, y: y * n, x),
        lambda jax, n: lambda x: jax.numpy.sum(x, axis=n - 1) if n == 1 else x[0],
        lambda jax, n: lambda x: jax.numpy.ones(n),
    ],
)
def test_other_differences_are_found(make):
    import jax

    with pytest.raises(FormsDifferError):
        joined([make(jax, number) for number in (1, 2)], X)
