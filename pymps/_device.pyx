"""Devices."""

cimport cython

import operator
import os

from pymps._backend cimport backends, check
from pymps.errors import DeviceError


@cython.final
cdef class Device:
    """A device that runs layers (``MTLDevice``).

    Two devices are equal where they are the same piece of hardware behind the same backend: arrays and layers of the
    one fit the other. A layer computes on the threads of the device that it was made with.

    Parameters
    ----------
    name : str, optional
        "metal" (Apple's frameworks) or "portable" (on the CPU), with an index where there are several: "metal:1".
        None: what the environment variable ``PYMPS_DEVICE`` says, else a GPU, else the CPU.
    threads : int, optional
        On how many threads of the CPU its layers compute, 1 to 256, the calling one included. The results are the same,
        bit by bit; more than one are used where that is faster, in large layers and batches. None: what the environment
        variable ``PYMPS_NUM_THREADS`` says, else as many as the CPUs that the process may use, but 8 at most. None is
        all that a GPU takes.

    Raises
    ------
    DeviceError
        There is no such device (the message lists those that there are), or the system can't start so many threads.
    TypeError, ValueError
        `threads` or the variable is not a number of threads, or the device is a GPU.
    ImportError
        The native library is missing or does not fit.
    """

    def __cinit__(self, name=None, threads=None):
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name: {type(name).__name__} {name!r}, expected a str or None")
        if name is None:
            name = os.environ.get("PYMPS_DEVICE") or None
        cdef pymps_error error
        self._find(name)
        cdef size_t count = _threads_of_environment() if threads is None else _threads_of_caller(threads)
        check(self.native.device_open(self._index, count, &self.handle, &error), &error)
        self.native.device_info(self.handle, &self._info)
        if threads is not None and self._info.threads == 0:
            raise ValueError(f"threads: {threads!r}, expected None: {self.name} has processors of its own")

    cdef int _find(self, object name) except -1:
        cdef size_t backend_count = 0, device_count, b, index
        cdef const pymps_backend **table = backends(&backend_count)
        cdef pymps_error error
        known = []
        for b in range(backend_count):
            device_count = 0
            check(table[b].device_count(&device_count, &error), &error)
            for index in range(device_count):
                backend = table[b].name.decode()
                full_name = f"{backend}:{index}"
                known.append(full_name)
                if name is None or name == full_name or (index == 0 and name == backend):
                    self.native = table[b]
                    self._index = index
                    return 0
        raise DeviceError(f"name: {'None' if name is None else repr(name)}, expected one of {', '.join(known) or '(none)'}")

    def __dealloc__(self):
        if self.native != NULL:
            self.native.device_release(self.handle)

    @property
    def name(self):
        """What the hardware is called."""
        return self._info.name.decode("utf-8", "replace")

    @property
    def backend(self):
        """The backend behind it: "metal" or "portable"."""
        return self.native.name.decode()

    @property
    def threads(self):
        """On how many threads of the CPU its layers compute; None for a GPU."""
        return self._info.threads or None

    @property
    def registry_id(self):
        """The system's number of the device, the same in every process."""
        return self._info.registry_id

    @property
    def has_unified_memory(self):
        """Whether it shares its memory with the CPU."""
        return bool(self._info.has_unified_memory)

    @property
    def is_low_power(self):
        """Whether it is the GPU that saves power, of two."""
        return bool(self._info.is_low_power)

    @property
    def max_buffer_length(self):
        """The longest buffer that it makes, in bytes."""
        return self._info.max_buffer_length_bytes

    @property
    def recommended_max_working_set_size(self):
        """How much it can work with before it gets slower, in bytes."""
        return self._info.recommended_max_working_set_size_bytes

    @property
    def current_allocated_size(self):
        """How much this process has allocated on it, in bytes."""
        return self.native.device_current_allocated_size_bytes(self.handle)

    # What is made here knows devices, not the reverse: hence the imports in the methods.

    def empty(self, shape, dtype="float32"):
        """An array in a buffer of this device that the CPU shares, as Metal hands it out: filled with zeros.

        Parameters
        ----------
        shape : int or tuple of int
            At least one element in all.
        dtype : dtype-like
            Any dtype that holds no Python objects.

        Returns
        -------
        ndarray
            C-contiguous; its base is the `Buffer`, which lives as long as any view of it.

        Raises
        ------
        TypeError
            `shape` or `dtype` is of no use for a buffer.
        ValueError
            No elements, or more than `max_buffer_length` bytes of them.
        DeviceError
            Out of device memory.
        """
        from pymps._buffer import new_array
        return new_array(self, shape, dtype)

    def zeros(self, shape, dtype="float32"):
        """An array of zeros in a buffer of this device that the CPU shares.

        Parameters, result and errors are those of `empty`.
        """
        return self.empty(shape, dtype)

    def array(self, object, dtype=None):
        """A copy of `object` in a buffer of this device that the CPU shares.

        Parameters
        ----------
        object : array-like
            What ``numpy.asarray`` takes, with at least one element.
        dtype : dtype-like, optional
            None: that of ``numpy.asarray(object)``.

        Returns
        -------
        ndarray
            As from `empty`.

        Raises
        ------
        TypeError, ValueError, DeviceError
            As from `empty`.
        """
        from pymps._buffer import copied_array
        return copied_array(self, object, dtype)

    def wrap(self, array):
        """A view of an array's own memory through a buffer of this device (``newBufferWithBytesNoCopy``).

        Parameters
        ----------
        array : ndarray
            C-contiguous, writable, its address and its length whole memory pages, as in arrays over an ``mmap.mmap``.
            It is kept alive for as long as anything uses the buffer.

        Returns
        -------
        ndarray
            Shape, dtype and memory of `array`; its base is the `Buffer`.

        Raises
        ------
        TypeError
            Not an ndarray, or one that holds Python objects.
        ValueError
            Its memory is not as described above.
        """
        from pymps._buffer import wrapped_array
        return wrapped_array(self, array)

    def image(self, array):
        """The image that an array is, or a copy of it.

        Parameters
        ----------
        array : ndarray, shape (N, H, W, C) or (H, W, C), float32, float16, uint16 or uint8
            N images of H lines of W pixels of C channels. Where it is C-contiguous in a buffer of this device, and the
            device's images can lie in buffers, the image has its memory; else it is copied: `Image.shares_memory` says
            which.

        Returns
        -------
        Image

        Raises
        ------
        TypeError, ValueError
            Not such an array.
        DeviceError
            Out of device memory.
        """
        from pymps._image import image_of
        return image_of(self, array)

    def new_command_queue(self, max_command_buffer_count=None):
        """A queue for command buffers.

        Parameters
        ----------
        max_command_buffer_count : int, optional
            How many command buffers it holds that have not completed. None: 64.

        Returns
        -------
        CommandQueue

        Raises
        ------
        TypeError, ValueError
            Not a number of command buffers.
        DeviceError
            The device has no queue left.
        """
        from pymps._queue import make_queue
        return make_queue(self, max_command_buffer_count)

    def new_shared_event(self):
        """An event by which the CPU and command buffers of this device wait for each other.

        Returns
        -------
        SharedEvent

        Raises
        ------
        DeviceError
            Out of memory.
        """
        from pymps._event import make_event
        return make_event(self)

    @property
    def has_linear_images(self):
        """Whether its images can lie in buffers, so that arrays can be images without a copy."""
        return bool(self._info.has_linear_images)

    cdef bint is_same(self, Device other) noexcept:
        return self.native == other.native and self._info.registry_id == other._info.registry_id

    def __eq__(self, other):
        return self.is_same(other) if isinstance(other, Device) else NotImplemented

    def __hash__(self):
        return hash((self.backend, self.registry_id))

    def __repr__(self):
        return f"<pymps.Device '{self.backend}:{self._index}' ({self.name})>"


cdef int _check_threads(str name, object value, object count) except -1:
    if not 1 <= count <= PYMPS_MAX_THREADS:
        raise ValueError(f"{name}: {value!r}, expected a number of threads from 1 to {PYMPS_MAX_THREADS}")


cdef object _threads_of_caller(object threads):
    try:
        count = operator.index(threads)
    except TypeError:
        raise TypeError(f"threads: {type(threads).__name__} {threads!r}, expected an int or None") from None
    _check_threads("threads", threads, count)
    return count


cdef object _threads_of_environment():
    """0 where the environment does not say."""
    text = os.environ.get("PYMPS_NUM_THREADS", "")
    if text == "":
        return 0
    count = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0
    _check_threads("PYMPS_NUM_THREADS", text, count)
    return count


def devices():
    """Every device of every backend, best first: GPUs before the CPU.

    Returns
    -------
    list of Device

    Raises
    ------
    ImportError
        The native library is missing or does not fit.
    ValueError
        $PYMPS_NUM_THREADS is no number of threads.
    DeviceError
        $PYMPS_PORTABLE_TARGET can't be had, or threads have run out.
    """
    cdef size_t backend_count = 0, device_count, b
    cdef const pymps_backend **table = backends(&backend_count)
    cdef pymps_error error
    found = []
    for b in range(backend_count):
        device_count = 0
        check(table[b].device_count(&device_count, &error), &error)
        found.extend(Device(f"{table[b].name.decode()}:{index}") for index in range(device_count))
    return found
