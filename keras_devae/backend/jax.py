"""The package's interface to JAX, which is imported on first use."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_devae.backend.interface import Backend
from keras_devae.backend.joined_programs import FormsDifferError, JoinedProgram
from keras_devae.backend.joined_steps import JoinedSteps, LazyState, changing_variables
from keras_devae.checks import Tensor
from keras_devae.process.machine import usable_cores


class JAX(Backend):
    """Computes with JAX, which compiles everything with XLA."""

    has_slow_convolution_gradients = True
    has_slow_single_filters = True
    trains_together = True

    def has_accelerator(self) -> bool:
        """Tells whether JAX's default device is not the CPU."""
        import jax

        return jax.default_backend() != "cpu"

    def accelerator_facts(self) -> tuple[str | None, int | None]:
        """Returns the device's kind and its peak memory use, which not every kind reports."""
        import jax

        device = jax.devices()[0]
        return device.device_kind, (device.memory_stats() or {}).get("peak_bytes_in_use")

    def device_memory(self) -> int | None:
        """Returns the memory limit of the first device."""
        import jax

        return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")

    def compute_threads(self) -> int:
        """Returns the number of threads of XLA's pool."""
        return int(os.environ.get("NPROC") or 0) or usable_cores()

    def compiles_with_xla(self) -> bool:
        """Returns true: there is no other way to compile."""
        return True

    def write_onnx(self, module: Any, inputs: tuple[tuple, str, str], file: Path) -> None:
        """Converts the module with jax2onnx, as Keras does, which would not name the outputs."""
        import jax
        import jax2onnx
        import onnx
        import onnxruntime

        shape, name, dtype = inputs
        batch = jax.ShapeDtypeStruct((1, *shape[1:]), dtype)
        names = list(jax.eval_shape(module.call, batch))
        converted = jax2onnx.to_onnx(
            lambda array: [module.call(array)[each] for each in names],
            inputs=[jax.ShapeDtypeStruct(("batch", *shape[1:]), dtype)],
            input_names=[name],
            output_names=names,
        )
        onnx.save(converted, file)
        # What cannot be represented is written all the same; then the file cannot be loaded.
        onnxruntime.InferenceSession(file)

    def on_cpu(self) -> contextlib.AbstractContextManager[Any]:
        """Returns a context manager for the CPU; it does nothing if JAX was told not to use it."""
        import jax

        try:
            jax.devices("cpu")
        except RuntimeError:
            return contextlib.nullcontext()
        return super().on_cpu()

    def on_host(self, function: Callable, tensor: Tensor, shape: tuple, dtype: str) -> Tensor:
        """Calls a NumPy function from a compiled step."""
        import jax

        kind = jax.ShapeDtypeStruct(shape, dtype)
        return jax.pure_callback(function, kind, tensor, vmap_method="sequential")

    def steps_in_one_call(self, model: Any, one_by_one: Callable) -> Callable:
        """Runs the steps of an execution in one `jax.lax.scan`.

        Keras calls its compiled step once per step, and each call takes the host about as long as a
        fast GPU takes for the step.
        """
        import keras

        eager = model.run_eagerly or not model.jit_compile
        if eager or keras.distribution.distribution() is not None:
            return one_by_one
        import jax

        def step(state, batch):
            return tuple(reversed(model.train_step(state, batch)))

        def steps(state, batches):
            stacked = jax.tree.map(lambda *parts: jax.numpy.stack(parts), *batches)
            state, logs = jax.lax.scan(step, state, stacked)
            return jax.tree.map(lambda values: values[-1], logs), state

        # Like Keras's train function, it may overwrite the old state.
        compiled = jax.jit(steps, donate_argnums=0)
        count = model.steps_per_execution

        def all_at_once(state, iterator):
            batches = list(itertools.islice(iterator, count))
            shapes = {array.shape for array in jax.tree.leaves(batches)}
            if len(batches) < count or len(shapes) > 1:
                return one_by_one(state, iter(batches))
            return compiled(state, batches)

        return all_at_once

    def mapping(self) -> str:
        """Returns the one of `MAPPINGS` that suits the device."""
        return "vmap" if self.has_accelerator() else "in turn"

    def join_steps(
        self, models: Sequence[Any], batches: Sequence[Any]
    ) -> list[tuple[list[int], JoinedSteps]]:
        """Joins the steps of models whose traces differ only in numbers."""
        mapping = self.mapping()
        traces = [_Trace(model, batch) for model, batch in zip(models, batches, strict=True)]
        groups: list[list[int]] = []
        for number, trace in enumerate(traces):
            like = next((group for group in groups if trace.is_like(traces[group[0]])), None)
            if like is None:
                groups.append([number])
            else:
                like.append(number)
        return [(group, _JAXSteps([traces[n] for n in group], mapping)) for group in groups]

    def computed_first(self, tensor: Tensor) -> Tensor:
        """Keeps XLA from recomputing a tensor at every use, or reading it across its rows."""
        import jax

        return jax.lax.optimization_barrier(tensor)

    def shares_of_batch(self, model: Any) -> int:
        """Returns the number of devices in Keras's distribution."""
        import keras

        distribution = keras.distribution.distribution()
        return 1 if distribution is None else distribution.device_mesh.devices.size


#: Ways to compute the step of every run: `"vmap"`, all side by side in one program; `"map"`, one
#: after another in one program; `"in turn"`, one call after another of a program for a single run.
#: Side by side, convolutions become grouped ones, which a CPU computes slowly. The step of 4 runs
#: with the convolutional networks on 64 images of 32x32 took in turn, by vmap and by map (lowest of
#: 12, in ms): 239, 364, 488 for DeVAE and 269, 361, 434 for FactorVAE; with `mlp`, 157, 235, 271
#: for beta-VAE (JAX 0.10.2, 2 cores of an AMD EPYC, beside other work). A single call keeps an
#: accelerator busy with many small operations; there, vmap has not been measured against others.
MAPPINGS = ("vmap", "map", "in turn")


class _Trace:
    """The program of a model's training step."""

    def __init__(self, model, batch):
        import jax

        self.model = model
        groups, resident = changing_variables(model)
        self.sizes = {name: len(group) for name, group in groups.items()}
        #: Where the resident images, which all runs share, stand among the state's arrays.
        self.place = self.sizes["trainable_variables"] + self.sizes["non_trainable_variables"]
        self.shared = len(resident)
        groups["non_trainable_variables"] += resident
        state = tuple([variable.value for variable in group] for group in groups.values())
        traced = jax.make_jaxpr(model.train_step, return_shape=True)(state, (batch,))
        self.program, (logs, _) = traced
        self.logs = jax.tree.structure(logs)

    def is_like(self, other):
        """Tells whether the steps differ only in numbers."""
        same = self.sizes == other.sizes and self.logs == other.logs
        try:
            return same and bool(_joined([other, self]))
        except FormsDifferError:
            return False


def _joined(traces):
    import jax.extend.core
    import jax.extend.core.primitives

    return JoinedProgram(jax.extend.core, [trace.program for trace in traces])


class _JAXSteps(JoinedSteps):
    """The steps of models that JAX computes as one program, see `MAPPINGS`."""

    def __init__(self, traces, mapping):
        import jax.extend.core

        joined = _joined(traces)
        self.models = [trace.model for trace in traces]
        self._trace, self._mapping, self._state = traces[0], mapping, None
        self._numbers, self._places = joined.numbers, len(traces)
        self._is_whole = True
        self._compute = jax.extend.core.jaxpr_as_fun(joined.program)
        self._of_one = jax.jit(self._step, donate_argnums=1)
        self._of_all = jax.jit(self._mapped(), donate_argnums=1)
        self._of_several = jax.jit(self._scanned, donate_argnums=1)
        self._take = jax.jit(lambda state, number: [array[number] for array in state])

    def _step(self, numbers, state, shared, batch):
        """Computes the step of one run; returns logs and state as lists of arrays."""
        trace, place = self._trace, self._trace.place
        results = self._compute(*numbers, *state[:place], *shared, *state[place:], *batch)
        count = trace.logs.num_leaves
        logs, state = results[:count], results[count:]
        return logs, [*state[:place], *state[place + trace.shared :]]

    def _mapped(self):
        import jax

        if self._mapping == "vmap":
            return jax.vmap(self._step, in_axes=(0, 0, None, 0))

        def one_after_another(numbers, state, shared, batch):
            parts = numbers, state, batch
            return jax.lax.map(lambda part: self._step(part[0], part[1], shared, part[2]), parts)

        return one_after_another

    def _scanned(self, numbers, state, shared, batches):
        import jax

        def step(state, batch):
            return tuple(reversed(self._mapped()(numbers, state, shared, batch)))

        state, logs = jax.lax.scan(step, state, batches)
        return [values[-1] for values in logs], state

    def keep(self, positions: Sequence[int]) -> None:
        """Continues with some of the models, see `JoinedSteps`."""
        self.release()
        self.models = [self.models[position] for position in positions]
        self._numbers = [values[list(positions)] for values in self._numbers]
        count = len(self.models)
        # For each number of places the program is compiled anew: so they are given up by halves.
        if 2 * count <= self._places or self._mapping == "in turn":
            self._places = count

    def _filled(self, parts):
        """Returns the parts of all models, with the first one repeated in empty places."""
        return [*parts, *[parts[0]] * (self._places - len(parts))]

    def __call__(self, batches: Iterable[Sequence[Any]]) -> list[dict[str, float]]:
        """Computes steps, see `JoinedSteps`."""
        import jax

        if any(model._jax_state_synced for model in self.models):
            self._gather()
        _, resident = changing_variables(self.models[0])
        self._is_whole = False
        compute = self._run_in_turn if self._mapping == "in turn" else self._run
        logs = compute(batches, [variable.value for variable in resident])
        self._is_whole = True
        for number, model in enumerate(self.models):
            take = functools.partial(self._of_run, number)
            # Keras's callbacks get the state through this when they ask for the model.
            model._jax_state = LazyState(take, self._trace.sizes)
        return [jax.tree.unflatten(self._trace.logs, values) for values in logs]

    def _run_in_turn(self, batches, shared):
        import jax

        runs = range(len(self.models))
        numbers = [[values[run] for values in self._numbers] for run in runs]
        for step in batches:
            logs = []
            for run in runs:
                arguments = (numbers[run], self._state[run], shared, [step[run]])
                latest, self._state[run] = self._of_one(*arguments)
                logs.append(latest)
        return jax.device_get(logs)

    def _run(self, batches, shared):
        import jax

        numbers = [np.stack(self._filled(values)) for values in self._numbers]
        steps = (np.stack(self._filled(step)) for step in batches)
        # Only numbers of resident images are small enough for many steps at a time.
        if self._mapping == "vmap" and shared:
            arguments = (numbers, self._state, shared, [np.stack(list(steps))])
            logs, self._state = self._of_several(*arguments)
        else:
            for images in steps:
                logs, self._state = self._of_all(numbers, self._state, shared, [images])
        return list(zip(*jax.device_get(logs), strict=True))[: len(self.models)]

    def _gather(self):
        """Takes the state from all models, whose variables let go of it."""
        import jax

        states = []
        for model in self.models:
            model.jax_state_sync()
            groups, _ = changing_variables(model)
            variables = [variable for group in groups.values() for variable in group]
            states.append([variable.value for variable in variables])
            for variable in variables:
                variable._value = None
            model._jax_state_synced = False
        if self._mapping != "in turn":
            stack, states = jax.numpy.stack, self._filled(states)
            states = [stack(arrays) for arrays in zip(*states, strict=True)]
        self._state = states

    def _of_run(self, number):
        """Returns the arrays of the state of one run."""
        state = self._state
        return state[number] if self._mapping == "in turn" else self._take(state, number)

    def release(self) -> None:
        """Gives all models their state back, see `JoinedSteps`."""
        for model in self.models:
            if self._is_whole:
                model.jax_state_sync()
            model._jax_state, model._jax_state_synced = None, True
        self._state = None


BACKEND = JAX()
