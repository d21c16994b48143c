"""Layers."""

cimport cython
cimport numpy as cnp
from cpython.mem cimport PyMem_Calloc, PyMem_Free

import numpy as np

from pymps._backend cimport check
from pymps._buffer cimport Buffer, new_buffer
from pymps._descriptor cimport NativeDescriptor, make_descriptor
from pymps._device cimport Device
from pymps._sequence cimport Sequence, checked_input, checked_output, new_output
from pymps._state cimport RecurrentState, make_state
from pymps._values import checked_bool, describe, is_plain_array

cnp.import_array()


@cython.final
cdef class MatrixInferenceLayer:
    """A stack of one or more recurrent layers, with the weights on a device (``MPSRNNMatrixInferenceLayer``).

    Any number of threads may call it, and step its streams, at the same time.

    Parameters
    ----------
    device : Device
        Where it runs.
    descriptor : LSTMDescriptor or list of LSTMDescriptor
        The layers, the one that sees x first. Each one's output channels are the next one's input channels. Later
        changes of a descriptor do not reach the layer.

    Attributes
    ----------
    device : Device
    input_feature_channels : int
        Features of a row of x, `I` below.
    output_feature_channels : int
        Features of a row of y, `O` below.
    number_of_layers : int
        How many layers the stack has.

    Raises
    ------
    TypeError, ValueError
        The message names the argument, what came and what was expected.
    DeviceError
        The device can't hold the layer.
    """

    def __cinit__(self, Device device not None, descriptor):
        descriptors = list(descriptor) if isinstance(descriptor, (list, tuple)) else [descriptor]
        if not descriptors:
            raise ValueError("descriptor: an empty list, expected at least one LSTMDescriptor")
        made = [make_descriptor(device.native, one) for one in descriptors]
        cdef pymps_descriptor **handles = <pymps_descriptor **>PyMem_Calloc(len(made), sizeof(void *))
        if handles == NULL:
            raise MemoryError
        cdef pymps_error error
        cdef pymps_layer_info info
        cdef Py_ssize_t index
        try:
            for index in range(len(made)):
                handles[index] = (<NativeDescriptor>made[index]).handle
            check(device.native.layer_create(device.handle, handles, len(made), &self.handle, &error), &error)
        finally:
            PyMem_Free(handles)
        self.native = device.native
        self.device = device
        self.native.layer_info(self.handle, &info)
        self.input_feature_channels = info.input_feature_channels
        self.output_feature_channels = info.output_feature_channels
        self.number_of_layers = info.number_of_layers
        self._outputs = tuple([one.output_feature_channels for one in descriptors])
        self._idle = []

    def __dealloc__(self):
        if self.native != NULL:
            self.native.layer_release(self.handle)

    def __call__(self, x, state=None, *, out=None, store_all_intermediate_states=False):
        """Run the layer over a batch of sequences.

        Parameters
        ----------
        x : ndarray, shape (T, B, I), float32 or float16, or list of ndarray, shape (rows, I)
            T steps of B rows of I features, each row contiguous. As a list, one array per step, in which the number of
            rows never grows: row r of all steps is one sequence, the longest come first. Read in place where it lies
            in a buffer of the device, slices included, else copied once. It must not change during the call.
        state : RecurrentState, optional
            Where the sequences start: a state of this layer with B rows. None: zeros.
        out : ndarray, shape (T, B, O), or list of ndarray, shape (rows, O), optional
            Where y goes: of the form and dtype of x, writable, sharing no memory with x. Written in place where it
            lies in a buffer of the device. None: new arrays, as from ``device.empty``.
        store_all_intermediate_states : bool
            Return the state after every step, not only after the last.

        Returns
        -------
        y : ndarray or list of ndarray
            `out` where it was given. Complete: the device has finished.
        state : RecurrentState, or list of RecurrentState
            The state after the last step, or after each step. A sequence that has ended keeps its last state.

        Raises
        ------
        TypeError
            A dtype other than float32 and float16, or of the machine's other byte order: nothing is converted
            silently. An argument of another type.
        ValueError
            A shape, a stride or memory that does not fit; a state of another layer or batch.
        DeviceError
            Out of device memory.
        CommandBufferError
            The device failed; carries Metal's code and text.

        Notes
        -----
        `LSTMDescriptor` gives the formulas. NaN and infinity are data.
        """
        cdef Sequence source = checked_input(x, self.input_feature_channels)
        cdef Sequence target
        if state is not None:
            self.check_state(state, source.rows)
        every = checked_bool("store_all_intermediate_states", store_all_intermediate_states)
        if out is None:
            y = new_output(source, self.device, self.output_feature_channels)
            target = Sequence([array[np.newaxis] for array in y] if source.is_list else [y], source.is_list)
        else:
            y = out
            target = checked_output(out, source, self.output_feature_channels)
        states = self._run(source, target, state, source.steps if every else 1)
        return y, states if every else states[0]

    cdef list _run(self, Sequence source, Sequence target, RecurrentState state, Py_ssize_t count):
        cdef pymps_state *initial = NULL if state is None else state.handle
        cdef pymps_state **handles = <pymps_state **>PyMem_Calloc(count, sizeof(void *))
        if handles == NULL:
            raise MemoryError
        cdef pymps_state *taken
        cdef Runner runner = None
        cdef Py_ssize_t index
        states = []
        try:
            runner = self._runner()
            runner.stage(self.device, source, target)
            source.copy_in()
            with nogil:
                runner.run(source, target, initial, count, handles)
            target.copy_out()
            for index in range(count):
                taken, handles[index] = handles[index], NULL
                states.append(make_state(self, taken, source.rows))
        finally:
            for index in range(count):
                self.native.state_release(handles[index])
            PyMem_Free(handles)
            if runner is not None:
                self._idle.append(runner)
        return states

    def state(self, h=None, c=None):
        """A state to start from.

        Parameters
        ----------
        h, c : list of (ndarray, shape (B, O of that layer), float32, or None), optional
            The output and the memory cell of each layer of the stack, the layer that sees x first. None stands for
            zeros. At least one array is needed: it says what B is. Copied.

        Returns
        -------
        RecurrentState

        Raises
        ------
        TypeError, ValueError
            The message names the argument, what came and what was expected.
        DeviceError
            Out of device memory.
        """
        given = [array for values in (h, c) if isinstance(values, (list, tuple)) for array in values]
        rows = [array.shape[0] for array in given if is_plain_array(array) and array.ndim == 2]
        cdef Py_ssize_t batch = rows[0] if rows else 0
        cdef FloatArrays outputs = FloatArrays("h", h, batch, self._outputs)
        cdef FloatArrays cells = FloatArrays("c", c, batch, self._outputs)
        if batch == 0:
            raise ValueError("h, c: no array, expected at least one, which says how many rows there are")
        cdef pymps_state *handle = NULL
        cdef pymps_error error
        cdef Runner runner = self._runner()
        try:
            with nogil:
                check(self.native.state_create(runner.layer, batch, outputs.data, cells.data, &handle, &error), &error)
        finally:
            self._idle.append(runner)
        return make_state(self, handle, batch)

    def stream(self, batch=1):
        """A stream: the layer one step at a time, through fixed buffers.

        Parameters
        ----------
        batch : int
            How many rows a step has.

        Returns
        -------
        Stream

        Raises
        ------
        TypeError, ValueError
            `batch` is no number of rows.
        DeviceError
            Out of device memory.
        """
        from pymps._stream import Stream  # streams know layers, not the reverse
        return Stream(self, batch)

    cdef int check_state(self, object state, Py_ssize_t batch) except -1:
        if not isinstance(state, RecurrentState):
            raise TypeError(f"state: {describe(state)}, expected a RecurrentState or None")
        if (<RecurrentState>state).layer is not self:
            raise ValueError("state: of another layer, expected one of this layer")
        if (<RecurrentState>state).batch != batch:
            raise ValueError(f"state: {(<RecurrentState>state).batch} rows, expected {batch}")
        return 0

    cdef Runner _runner(self):
        """A runner for one call, which puts it back into `_idle`."""
        if self._idle:
            return self._idle.pop()
        cdef Runner runner = Runner.__new__(Runner)
        cdef pymps_error error
        runner.native = self.native
        check(self.native.layer_copy(self.handle, &runner.layer, &error), &error)
        check(self.native.queue_create(self.device.handle, &runner.queue, &error), &error)
        return runner

    def __repr__(self):
        channels = " -> ".join(map(str, (self.input_feature_channels, *self._outputs)))
        return f"<pymps.MatrixInferenceLayer {channels} on {self.device!r}>"


@cython.final
cdef class Runner:
    """All that one call needs for itself, so that calls in different threads share nothing: a copy of the layer, a
    command queue, staging memory."""

    def __dealloc__(self):
        if self.native != NULL:
            self.native.layer_release(self.layer)
            self.native.queue_release(self.queue)

    cdef int stage(self, Device device, Sequence x, Sequence y) except -1:
        x.locate(device)
        y.locate(device)
        cdef size_t needed = x.staging_bytes + y.staging_bytes
        if needed == 0:
            return 0
        if self.staging is None or self.native.buffer_length_bytes(self.staging.handle) < needed:
            self.staging = None  # first, so that the device need not hold both
            self.staging = new_buffer(device, needed)
        x.stage(self.staging, 0)
        y.stage(self.staging, x.staging_bytes)
        return 0

    cdef int run(self, Sequence x, Sequence y, pymps_state *state, size_t state_count,
                 pymps_state **states) except -1 nogil:
        cdef pymps_command_buffer *command_buffer = NULL
        cdef pymps_error error
        cdef pymps_status status = self.native.command_buffer_create(self.queue, &command_buffer, &error)
        if status == PYMPS_OK:
            status = self.native.layer_encode_sequence(self.layer, command_buffer, x.steps, x.matrices, y.matrices,
                                                       state, state_count, False, states, &error)
        if status == PYMPS_OK:
            status = self.native.command_buffer_commit(command_buffer, &error)
        if status == PYMPS_OK:
            status = self.native.command_buffer_wait(command_buffer, &error)
        self.native.command_buffer_release(command_buffer)
        return check(status, &error)


@cython.final
cdef class FloatArrays:
    """h or c of a stack, as C wants it: one pointer per layer."""

    cdef const float **data  # owned; NULL where there are none
    cdef list arrays         # what it points to

    def __cinit__(self, str name, object values, Py_ssize_t batch, tuple outputs):
        if values is None:
            return
        if not isinstance(values, (list, tuple)):
            raise TypeError(f"{name}: {describe(values)}, expected a list of arrays, one per layer")
        if len(values) != len(outputs):
            raise ValueError(f"{name}: {len(values)} arrays, expected {len(outputs)}, one per layer")
        self.data = <const float **>PyMem_Calloc(len(values), sizeof(void *))
        if self.data == NULL:
            raise MemoryError
        self.arrays = []
        cdef Py_ssize_t index
        for index, array in enumerate(values):
            if array is None:
                continue
            expected = f"a float32 array of shape ({batch or 'B'}, {outputs[index]})"
            if not is_plain_array(array) or array.dtype != np.float32:
                raise TypeError(f"{name}[{index}]: {describe(array)}, expected {expected}")
            if array.shape != (batch, outputs[index]) or batch == 0:
                raise ValueError(f"{name}[{index}]: {describe(array)}, expected {expected}")
            kept = np.ascontiguousarray(array)
            self.arrays.append(kept)
            self.data[index] = <const float *>cnp.PyArray_DATA(kept)

    def __dealloc__(self):
        PyMem_Free(self.data)
