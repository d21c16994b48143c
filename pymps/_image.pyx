"""Images."""

cimport cython
cimport numpy as cnp

import numpy as np

from pymps._backend cimport check, made_here
from pymps._buffer cimport Buffer, buffer_under
from pymps._command_buffer cimport CommandBuffer
from pymps._device cimport Device
from pymps._values import COUNT_MAX, checked_count, checked_int, checked_member, describe, is_plain_array
from pymps.enums import ChannelFormat

cnp.import_array()

# In this machine's byte order, by channel format.
cdef tuple DTYPES = (None, np.dtype(np.uint8), np.dtype(np.uint16), np.dtype(np.float16), np.dtype(np.float32))


@cython.final
cdef class Image:
    """Images of one size on a device (``MPSImage``), for `ImageInferenceLayer.encode_sequence`.

    Any number of threads may read one at the same time.

    Parameters
    ----------
    device : Device
        Where it is made. Its memory is its own, and zeros.
    width, height : int
        Of an image, in pixels.
    feature_channels : int
        How many numbers a pixel has.
    channel_format : ChannelFormat
        The type of these numbers.
    number_of_images : int
        How many images it holds.

    Attributes
    ----------
    device : Device
        Where it was made.

    Raises
    ------
    TypeError, ValueError
        The message names the argument, what came and what was expected.
    DeviceError
        Out of device memory.
    """

    def __cinit__(self, device, width=None, height=None, feature_channels=None,
                  channel_format=ChannelFormat.FLOAT32, number_of_images=1):
        if device is made_here:
            return
        if not isinstance(device, Device):
            raise TypeError(f"device: {describe(device)}, expected a Device")
        self.device = device
        self.native = self.device.native
        self.descriptor = checked_descriptor(width, height, feature_channels, channel_format, number_of_images)
        cdef pymps_error error
        with nogil:
            check(self.native.images.image_create(self.device.handle, &self.descriptor, &self.handle, &error), &error)

    def __dealloc__(self):
        if self.native != NULL:
            self.native.images.image_release(self.handle)

    @staticmethod
    def of(array):
        """The image that an array in a buffer of a device is.

        Parameters
        ----------
        array : ndarray, shape (N, H, W, C) or (H, W, C), float32, float16, uint16 or uint8
            An array over a buffer, or a view of one. Where it is C-contiguous and the device's images can lie in buffers,
            the image has its memory; else a copy: `shares_memory` says which. `Device.image` takes other arrays too.

        Returns
        -------
        Image

        Raises
        ------
        TypeError
            Not an ndarray, or one of another dtype.
        ValueError
            Another shape, or there is no buffer under it.
        DeviceError
            Out of device memory.
        """
        if not isinstance(array, np.ndarray):
            raise TypeError(f"array: {describe(array)}, expected an ndarray")
        cdef Buffer buffer = buffer_under(array)
        if buffer is None:
            raise ValueError(f"array: {describe(array)} in memory of its own, expected one in a device's buffer")
        return image_of(buffer.device, array)

    @staticmethod
    def temporary(CommandBuffer command_buffer not None, width, height, feature_channels,
                  channel_format=ChannelFormat.FLOAT32, number_of_images=1):
        """An image that lives on a command buffer alone (``MPSTemporaryImage``): of use between what is encoded into it.

        Parameters
        ----------
        command_buffer : CommandBuffer
            Not committed.
        width, height, feature_channels, channel_format, number_of_images
            As for an `Image`.

        Returns
        -------
        Image
            The CPU can't see it. It is gone once it has been a source as often as `read_count` says.

        Raises
        ------
        TypeError, ValueError, DeviceError
            As from `Image`. ValueError also where the command buffer is committed.
        RuntimeError
            Another thread is encoding into the command buffer.
        """
        cdef pymps_image_descriptor descriptor = checked_descriptor(
            width, height, feature_channels, channel_format, number_of_images)
        cdef const pymps_backend *native = command_buffer.native
        cdef pymps_image *handle = NULL
        cdef pymps_error error
        command_buffer.begin()
        command_buffer.end(native.images.image_create_temporary(command_buffer.handle, &descriptor, &handle, &error),
                           &error)
        cdef Image image = make_image(command_buffer.device, handle)
        image.command_buffer = command_buffer
        return image

    # ---- What it is ----

    @property
    def width(self):
        """Pixels of a line."""
        return self.descriptor.width

    @property
    def height(self):
        """Lines of an image."""
        return self.descriptor.height

    @property
    def feature_channels(self):
        """Numbers of a pixel."""
        return self.descriptor.feature_channels

    @property
    def number_of_images(self):
        """How many images it holds."""
        return self.descriptor.number_of_images

    @property
    def channel_format(self):
        """The type of the numbers, a ChannelFormat."""
        return ChannelFormat(self.descriptor.channel_format)

    @property
    def dtype(self):
        """The dtype of `read` and `write`: the one of `channel_format`."""
        return dtype_of(self.descriptor.channel_format)

    @property
    def shape(self):
        """The shape of `read` and `write`: (N, H, W, C)."""
        return self.number_of_images, self.height, self.width, self.feature_channels

    @property
    def shares_memory(self):
        """Whether its memory is that of an array: `array`."""
        return self.memory is not None

    @property
    def array(self):
        """Its memory, as an ndarray of shape (N, H, W, C).

        Raises
        ------
        ValueError
            It has memory of its own: `shares_memory` is False.
        """
        if self.memory is None:
            raise ValueError("the image has memory of its own, expected one that shares an array's; read() copies it")
        return self.memory

    @property
    def is_temporary(self):
        """Whether it lives on a command buffer alone."""
        return self.command_buffer is not None

    @property
    def read_count(self):
        """How many sequences may still read a temporary image, 1 at first; 0 for any other image.

        It can be set, before it has reached 0.
        """
        return self.native.images.image_read_count(self.handle)

    @read_count.setter
    def read_count(self, value):
        cdef size_t count = checked_int("read_count", value, 0, COUNT_MAX)
        cdef pymps_error error
        check(self.native.images.image_set_read_count(self.handle, count, &error), &error)

    # ---- Its elements ----

    def read(self, out=None):
        """Copy the image out of the device.

        Work that writes it has to have completed. The GIL is released meanwhile.

        Parameters
        ----------
        out : ndarray, shape (N, H, W, C), optional
            Where to: of the image's dtype, C-contiguous and writable. None: a new array.

        Returns
        -------
        ndarray, shape (N, H, W, C)
            `out` where it was given.

        Raises
        ------
        TypeError, ValueError
            Another shape or dtype; a temporary image.
        DeviceError
            Out of device memory.
        """
        self._check_access()
        if out is None:
            out = np.empty(self.shape, self.dtype)
        check_elements("out", out, self.shape, self.dtype)
        if not out.flags.c_contiguous or not out.flags.writeable:
            raise ValueError(f"out: {describe(out)}, not C-contiguous and writable as expected")
        read_image(self, out)
        return out

    def write(self, array):
        """Copy an array into the image.

        Work that reads or writes it has to have completed. The GIL is released meanwhile.

        Parameters
        ----------
        array : ndarray, shape (N, H, W, C)
            Of the image's dtype: nothing is converted.

        Raises
        ------
        TypeError, ValueError
            Another shape or dtype; a temporary image; the image of a state, or of a read-only array.
        DeviceError
            Out of device memory.
        """
        self._check_access()
        if self.read_only:
            raise ValueError("the image is read-only")
        check_elements("array", array, self.shape, self.dtype)
        write_image(self, np.ascontiguousarray(array))

    def synchronize(self, CommandBuffer command_buffer not None):
        """Make what the device has written visible to the CPU: `read` does so by itself, and waits.

        Parameters
        ----------
        command_buffer : CommandBuffer
            Of the image's device: it happens when this has run.

        Raises
        ------
        ValueError
            Of another device, or committed; a temporary image.
        RuntimeError
            Another thread is encoding into it.
        """
        cdef pymps_error error
        command_buffer.begin()
        command_buffer.end(self.native.images.command_buffer_synchronize_image(command_buffer.handle, self.handle, &error),
                           &error)

    cdef int _check_access(self) except -1:
        if self.command_buffer is not None:
            raise ValueError("the image is temporary: the CPU can't see it")
        return 0

    def __reduce__(self):
        raise TypeError("an Image belongs to a device: it has read() instead of copies and pickles")

    def __repr__(self):
        return f"<pymps.Image of shape {self.shape}, {self.channel_format.name}, on {self.device!r}>"


cdef object format_of(object dtype):
    for number in range(PYMPS_CHANNELS_UNORM8, PYMPS_CHANNELS_FLOAT32 + 1):
        if DTYPES[number] == dtype:
            return number
    return None


cdef object dtype_of(pymps_channel_format channel_format):
    return DTYPES[<int>channel_format]


cdef pymps_image_descriptor checked_descriptor(object width, object height, object feature_channels,
                                               object channel_format, object number_of_images) except *:
    cdef pymps_image_descriptor descriptor
    descriptor.width = checked_count("width", width)
    descriptor.height = checked_count("height", height)
    descriptor.feature_channels = checked_count("feature_channels", feature_channels)
    descriptor.number_of_images = checked_count("number_of_images", number_of_images)
    descriptor.channel_format = <pymps_channel_format><int>checked_member("channel_format", channel_format, ChannelFormat)
    return descriptor


cdef pymps_image_descriptor describe_images(object array):
    """Of an array whose last axes are N, H, W and C, after checking that."""
    cdef pymps_image_descriptor descriptor
    *_, descriptor.number_of_images, descriptor.height, descriptor.width, descriptor.feature_channels = array.shape
    descriptor.channel_format = <pymps_channel_format><int>format_of(array.dtype)
    return descriptor


cdef int check_elements(str name, object array, tuple shape, object dtype) except -1:
    expected = f"a {dtype} array of shape {shape}"
    if not is_plain_array(array) or array.dtype != dtype:
        raise TypeError(f"{name}: {describe(array)}, expected {expected}")
    if array.shape != shape:
        raise ValueError(f"{name}: {describe(array)}, expected {expected}")
    return 0


cdef Image make_image(Device device, pymps_image *handle, object memory=None, bint read_only=False):
    cdef Image image = Image.__new__(Image, made_here)
    image.native = device.native
    image.handle = handle
    image.device = device
    image.memory = memory
    image.read_only = read_only
    image.native.images.image_descriptor(handle, &image.descriptor)
    return image


cdef Image new_image(Device device, const pymps_image_descriptor *descriptor):
    cdef pymps_image *handle = NULL
    cdef pymps_error error
    with nogil:
        check(device.native.images.image_create(device.handle, descriptor, &handle, &error), &error)
    return make_image(device, handle)


cdef int write_image(Image image, object array) except -1:
    cdef const void *elements = cnp.PyArray_DATA(array)
    cdef pymps_error error
    with nogil:
        check(image.native.images.image_write(image.device.handle, image.handle, PYMPS_ALL_IMAGES,
                                              PYMPS_HEIGHT_WIDTH_CHANNELS, elements, &error), &error)
    return 0


cdef int read_image(Image image, object array) except -1:
    cdef void *elements = cnp.PyArray_DATA(array)
    cdef pymps_error error
    with nogil:
        check(image.native.images.image_read(image.device.handle, image.handle, PYMPS_ALL_IMAGES,
                                             PYMPS_HEIGHT_WIDTH_CHANNELS, elements, &error), &error)
    return 0


cpdef Image image_of(Device device, object array):
    """What Device.image does."""
    expected = "a float32, float16, uint16 or uint8 array of shape (N, H, W, C) or (H, W, C)"
    if not is_plain_array(array) or format_of(array.dtype) is None:
        raise TypeError(f"array: {describe(array)}, expected {expected}")
    if array.ndim not in (3, 4) or array.size == 0:
        raise ValueError(f"array: {describe(array)}, expected {expected}, each length at least 1")
    images = array if array.ndim == 4 else array[np.newaxis]
    cdef pymps_image_descriptor descriptor = describe_images(images)
    cdef Buffer buffer = buffer_under(images)
    cdef pymps_image *handle = NULL
    cdef pymps_error error
    cdef size_t offset
    if (device.has_linear_images and buffer is not None and device.is_same(buffer.device)
            and images.flags.c_contiguous and images.flags.aligned):
        offset = <char *>cnp.PyArray_DATA(images) - buffer.data
        check(device.native.images.image_create_in_buffer(buffer.handle, offset, &descriptor, &handle, &error), &error)
        return make_image(device, handle, images, not images.flags.writeable)
    cdef Image image = new_image(device, &descriptor)
    write_image(image, np.ascontiguousarray(images))
    return image
