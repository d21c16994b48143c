"""The shape of a stack of layers: what it can run, and what comes out."""

cimport cython

from pymps.enums import RNNBidirectionalCombineMode


@cython.final
cdef class Stack:
    """What a layer says of its stack, copied once: it never changes."""

    cdef int check_runs_sequence(self) except -1:
        if not self.info.runs_sequence:
            raise ValueError(
                "the stack is for bidirectional runs alone, expected one in which each layer's output channels are the "
                "next one's input channels"
            )
        return 0

    cdef Py_ssize_t combined_channels(self, object combine_mode) except -1:
        if not self.info.runs_bidirectional_sequence:
            raise ValueError(
                "the stack can't run bidirectionally, expected forward and backward layers that take the same input and "
                "of each direction a chain of layers that fit each other"
            )
        cdef Py_ssize_t forward = self.info.forward_output_feature_channels
        cdef Py_ssize_t backward = self.info.backward_output_feature_channels
        if combine_mode == RNNBidirectionalCombineMode.ADD and forward != backward:
            raise ValueError(
                f"bidirectional_combine_mode: ADD for {forward} forward and {backward} backward output channels, "
                "expected as many of the one as of the other"
            )
        return forward + backward if combine_mode == RNNBidirectionalCombineMode.CONCATENATE else forward

    cdef str text(self):
        if self.info.runs_sequence:
            outputs = " -> ".join(map(str, self.outputs))
        else:
            outputs = (f"{self.info.forward_output_feature_channels} forward, "
                       f"{self.info.backward_output_feature_channels} backward")
        return f"{self.info.input_feature_channels} -> {outputs}"


cdef Stack make_stack(const pymps_backend *native, pymps_layer *layer):
    cdef Stack stack = Stack.__new__(Stack)
    native.layer_info(layer, &stack.info)
    stack.outputs = tuple([
        native.layer_output_feature_channels(layer, index) for index in range(stack.info.number_of_layers)])
    return stack
