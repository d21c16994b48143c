"""What a forward pass remembers for its gradient."""

cimport cython

from pymps._backend cimport made_here
from pymps._command_buffer cimport WriteCount
from pymps._state cimport check_state_rows
from pymps._values import describe


@cython.final
cdef class NativeTape:
    """The tape of a whole pass, which its parts own together."""

    def __dealloc__(self):
        if self.training != NULL:
            self.training.training_tape_release(self.handle)

    cdef bint weights_have_changed(self, CommandBuffer command_buffer) noexcept:
        """Where command buffers make the tape or read it, the order in which all was encoded stands for that in which it
        runs."""
        cdef WriteCount writes = self.trainer.writes
        if self.was_encoded or command_buffer is not None:
            return writes.encoded != self.encoded
        return writes.committed != self.committed


@cython.final
cdef class Tape:
    """What a forward pass remembers for its gradient (``MPSRNNMatrixTrainingState``, one for each step).

    Made by `MatrixTrainingLayer.forward` and `MatrixTrainingLayer.encode_forward_sequence`. ``tape[a:b]`` is the part of
    it for the steps from a to b: for gradients of some steps alone, as truncated backpropagation through time [1]_ takes
    them.

    Attributes
    ----------
    layer : MatrixTrainingLayer
        Whose tape it is: no other layer takes it.

    References
    ----------
    .. [1] Williams, Peng, Neural Computation 2 (1990) 490-501
    """

    def __cinit__(self, *key):
        if len(key) != 1 or key[0] is not made_here:
            raise TypeError("Tape: made by a MatrixTrainingLayer, not by a call")

    cdef int check_use(self, Trainer trainer, CommandBuffer command_buffer) except -1:
        cdef NativeTape native = self.native
        if native.trainer is not trainer:
            raise ValueError("tape: of another layer, expected one of this layer")
        if native.weights_have_changed(command_buffer):
            raise ValueError("tape: the layer's weights have changed since its forward pass, expected a pass after that")
        if trainer.training.training_tape_is_temporary(native.handle):
            if command_buffer is not native.command_buffer:
                raise ValueError("tape: temporary, expected use on the command buffer that makes it alone")
            return 0
        if native.command_buffer is not None and native.command_buffer.is_complete():
            native.command_buffer = None
        if command_buffer is None and native.command_buffer is not None:
            raise RuntimeError("tape: its command buffer has not completed, expected a wait for it before")
        return 0

    cdef int check_last_state(self, object state, CommandBuffer command_buffer) except -1:
        cdef Py_ssize_t following = min(self.first + self.count, self.x.steps - 1)
        cdef size_t least = self.x.matrices[following].rows, most = self.x.matrices[self.first].rows
        return check_state_rows("state_gradient", self.layer, state, least, most, command_buffer)

    cdef MatrixSequence sources(self):
        return self.x.steps_of(self.native.trainer.device, self.first, self.first + self.count)

    @property
    def is_temporary(self):
        """Whether it lives on the command buffer that makes it alone, for one gradient of each step."""
        return bool(self.native.trainer.training.training_tape_is_temporary(self.native.handle))

    # ---- Steps ----

    def __len__(self):
        """How many steps it has."""
        return self.count

    def __getitem__(self, steps):
        """The part for some steps that follow each other.

        Parameters
        ----------
        steps : slice
            Of step 1; at least one step.

        Returns
        -------
        Tape
            It shares this one's memory, and has the states of its own steps where all of them were stored.

        Raises
        ------
        TypeError, ValueError
            Not such a slice.
        """
        if not isinstance(steps, slice):
            raise TypeError(f"tape[...]: {describe(steps)}, expected a slice")
        first, end, step = steps.indices(self.count)
        if step != 1 or end <= first:
            raise ValueError(f"tape[...]: steps {first} to {end} by {step} of {self.count}, expected at least one, by 1")
        cdef Tape part = Tape.__new__(Tape, made_here)
        part.native, part.x, part.layer = self.native, self.x, self.layer
        part.first, part.count = self.first + first, end - first
        if self._states is not None and len(self._states) == self.count:
            part._states = self._states[first:end]
        elif end == self.count:
            part._states = self._states
        return part

    # ---- States ----

    @property
    def state(self):
        """The RecurrentState after the last step; None where it was not stored.

        A sequence that has ended keeps its last state.
        """
        return None if self._states is None else self._states[len(self._states) - 1]

    @property
    def states(self):
        """The RecurrentState after each step, where the pass stored all intermediate states; else that of `state` alone."""
        return [] if self._states is None else list(self._states)

    @property
    def state_gradient(self):
        """dL/dh and dL/dc of the state before the first step, a RecurrentState; None before there is a gradient.

        That of the last call of `MatrixTrainingLayer.gradient` with this tape.
        """
        return None if self._gradients is None else self._gradients[0]

    @property
    def state_gradients(self):
        """The same before each step, where the call stored all intermediate states; else `state_gradient` alone."""
        return [] if self._gradients is None else list(self._gradients)

    def __reduce__(self):
        raise TypeError("Tape: belongs to a device, expected no copies and pickles")

    def __repr__(self):
        return f"<pymps.Tape of {self.count} steps of {self.layer!r}>"


cdef Tape make_tape(object layer, Trainer trainer, MatrixSequence x, CommandBuffer command_buffer):
    cdef NativeTape native = NativeTape.__new__(NativeTape)
    native.trainer, native.training = trainer, trainer.training
    native.command_buffer = command_buffer
    native.was_encoded = command_buffer is not None
    native.encoded, native.committed = trainer.writes.encoded, trainer.writes.committed
    cdef Tape tape = Tape.__new__(Tape, made_here)
    tape.native, tape.x, tape.layer = native, x, layer
    tape.count = x.steps
    return tape
