# Somebody else's module: it steps a stream without the GIL, and speaks C to pymps.
from pymps cimport PYMPS_ABI_VERSION, ImageStream, Stream, StepStream, pymps_error, pymps_layer_info, pymps_status

abi_version = PYMPS_ABI_VERSION
size_of_error = sizeof(pymps_error)


def drive(Stream stream not None, const float[:, :, ::1] x, float[:, :, ::1] y):
    """y[t] = one step on x[t], for all t, in C alone."""
    with nogil:
        run(stream, x, y)


def drive_images(ImageStream stream not None, const float[:, :, ::1] x, float[:, :, ::1] y):
    """The same, where rows are pixels."""
    with nogil:
        run(stream, x, y)


def image_layer_channels(ImageStream stream not None):
    """What the C interface says of a stream's layer."""
    cdef pymps_layer_info info
    stream.layer.native.layer_info(stream.layer.handle, &info)
    return info.input_feature_channels, info.output_feature_channels


cdef int run(StepStream stream, const float[:, :, ::1] x, float[:, :, ::1] y) except -1 nogil:
    cdef Py_ssize_t t, row, feature
    for t in range(x.shape[0]):
        for row in range(x.shape[1]):
            for feature in range(x.shape[2]):
                stream.x_data[row * stream.x_row_floats + feature] = x[t, row, feature]
        stream.step_nogil()
        for row in range(y.shape[1]):
            for feature in range(y.shape[2]):
                y[t, row, feature] = stream.y_data[row * stream.y_row_floats + feature]
    return 0


cdef int step_twice(Stream stream) except -1 nogil:
    stream.step_nogil()
    return stream.step_nogil()


def drive_in_vain(Stream stream not None):
    """Errors come through C code that holds no GIL."""
    with nogil:
        step_twice(stream)
