"""Streams of images."""

cimport cython

from pymps._image_layer cimport ImageInferenceLayer
from pymps._image_state cimport check_image_state, make_image_state
from pymps._native cimport *
from pymps._stream cimport StepStream, own_stream
from pymps._values import checked_count


@cython.final
cdef class ImageStream(StepStream):
    """A layer of images one step at a time: write `x`, call `step`, read `y`. The state is carried along.

    Made by `ImageInferenceLayer.stream`. `x` and `y` stay the same arrays, in buffers of the device. Different streams
    may step in different threads at the same time; one stream is for one thread at a time. A stream is a context manager
    that closes itself.

    Attributes
    ----------
    layer : ImageInferenceLayer
    number_of_images : int
        How many images a step has, `N` below.
    height : int
        Lines of an image, `H`.
    width : int
        Pixels of a line, `W`.
    """

    def __cinit__(self, ImageInferenceLayer layer not None, number_of_images=1, height=1, width=1):
        self.number_of_images = checked_count("number_of_images", number_of_images)
        self.height = checked_count("height", height)
        self.width = checked_count("width", width)
        layer.stack.check_runs_sequence()
        cdef pymps_stream *handle = NULL
        cdef pymps_error error
        cdef pymps_status status
        with nogil:
            status = layer.native.images.image_stream_create(layer.handle, self.width, self.height, self.number_of_images,
                                                             &handle, &error)
        self.take(layer, own_stream(layer, handle, status, &error), self._extent())

    def _extent(self):
        return self.number_of_images, self.height, self.width

    @property
    def x(self):
        """The input of the next step: ndarray, shape (N, H, W, I), float32. It outlives the stream."""
        self._check_open()
        return self._x

    @property
    def y(self):
        """The output of the last step: ndarray, shape (N, H, W, O), float32. It outlives the stream."""
        self._check_open()
        return self._y

    cdef int _check_state(self, object state) except -1:
        return check_image_state(self.layer, state, self._extent())

    cdef object _new_state(self, pymps_state *handle):
        return make_image_state(self.layer, handle, self._extent())

    def __repr__(self):
        return (f"<pymps.ImageStream of {self.number_of_images} images of {self.width} x {self.height}, "
                f"{'closed' if self.closed else 'open'}, {self.layer!r}>")
