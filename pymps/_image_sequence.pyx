"""Sequences of images."""

cimport cython
cimport numpy as cnp
from cpython.mem cimport PyMem_Calloc, PyMem_Free

import numpy as np

from pymps._backend cimport check
from pymps._buffer cimport Buffer, new_array
from pymps._command_buffer cimport CommandBuffer
from pymps._device cimport Device
from pymps._image cimport Image, describe_images, format_of, new_image, read_image, write_image
from pymps._image_state cimport check_image_state, make_image_state
from pymps._native cimport *
from pymps._sequence cimport Sequence, Staging, overlaps_itself, place_of, spans_part_of
from pymps._values import describe, is_plain_array

cnp.import_array()


@cython.final
cdef class ImageSequence(Sequence):
    """Blocks of shape (steps, N, H, W, C), or Images, as one image per step.

    Where the device's images can lie in buffers, blocks do so, in place or in staging memory; else staging images take
    copies of them.
    """

    def __dealloc__(self):
        cdef Py_ssize_t step
        if self._linear != NULL:
            for step in range(self.steps):
                self._linear.image_release(self.images[step])
        PyMem_Free(self.images)

    cdef int locate(self, Device device) except -1:
        Sequence.locate(self, device)
        if self._linear == NULL:
            self.staging_bytes = 0  # images have memory of their own
        return 0

    cdef int locate_in_place(self, Device device) except -1:
        if self.given is None and not device.has_linear_images:
            raise ValueError(f"{self.name}: arrays, expected Images: those of {device!r} can't lie in buffers")
        return Sequence.locate_in_place(self, device)

    cdef int _make_room(self, Device device) except -1:
        self._device = device
        self.images = <pymps_image **>PyMem_Calloc(self.steps, sizeof(void *))
        if self.images == NULL:
            raise MemoryError
        if self.given is None:
            self._linear = device.native.images if device.has_linear_images else NULL
            return 0
        for step, image in enumerate(self.given):
            if not device.is_same((<Image>image).device):
                raise ValueError(f"{self.name}[{step}]: {image!r}, expected one on {device!r}")
            self.images[<Py_ssize_t>step] = (<Image>image).handle
        return 0

    cdef bint _lies_in(self, object block, Buffer buffer) except -1:
        return self._linear != NULL and is_dense(block) and spans_part_of(block, buffer)

    cdef int _place(self, object block, Buffer buffer, Py_ssize_t first) except -1:
        cdef cnp.ndarray array = block
        cdef size_t offset = <char *>cnp.PyArray_DATA(array) - buffer.data
        cdef Py_ssize_t step, stride = cnp.PyArray_STRIDE(array, 0)
        cdef pymps_error error
        for step in range(first, first + cnp.PyArray_DIM(array, 0)):
            check(self._linear.image_create_in_buffer(buffer.handle, offset, &self.descriptor, &self.images[step], &error),
                  &error)
            offset += stride
        return 0

    # ---- By way of staging images ----

    cdef int stage(self, Staging staging) except -1:
        if self._outside is None or self._linear != NULL:
            return Sequence.stage(self, staging)
        cdef Image image
        for block, first in self._outside:
            for step, array in enumerate(block, first):
                image = staging_image(staging, self._device, &self.descriptor)
                self.images[<Py_ssize_t>step] = image.handle
                self._copies.append((array, image))
        return 0

    cdef int copy_in(self) except -1:
        if self._copies is None or self._linear != NULL:
            return Sequence.copy_in(self)
        for array, image in self._copies:
            write_image(image, np.ascontiguousarray(array))
        return 0

    cdef int copy_out(self) except -1:
        if self._copies is None or self._linear != NULL:
            return Sequence.copy_out(self)
        for array, image in self._copies:
            dense = array if array.flags.c_contiguous and array.flags.aligned else np.empty(array.shape, array.dtype)
            read_image(image, dense)
            if dense is not array:
                array[...] = dense
        return 0

    # ---- What follows from an input ----

    cdef Sequence checked_output(self, str name, object out, Py_ssize_t features):
        cdef ImageSequence checked
        if self.given is not None or holds_images(out):
            checked = checked_images(name, out, features)
        elif self.is_list and not isinstance(out, (list, tuple)):
            raise TypeError(f"{name}: {describe(out)}, expected a list of arrays, as {self.name} is")
        else:
            checked = checked_sequence(name, out, self.is_list, features)
        if checked.steps != self.steps:
            raise ValueError(f"{name}: {checked.steps} steps, expected {self.steps}, those of {self.name}")
        if checked.extent != self.extent:
            raise ValueError(
                f"{name}: (N, H, W) is {checked.extent}, expected {self.extent}, those of {self.name}"
            )
        cdef Py_ssize_t index
        for index in range(len(checked.blocks)):
            check_writable(place_of(name, index if checked.is_list else -1), checked.blocks[index])
        for index, image in enumerate(checked.given or ()):
            if (<Image>image).read_only:
                raise ValueError(f"{name}[{index}]: read-only, expected an image that can be written")
        return checked

    cdef Sequence new_output(self, str name, Device device, Py_ssize_t features):
        dtype = self.dtype if self.dtype.kind == "f" else np.dtype(np.float32)
        array = new_array(device, (self.steps, *self.extent, features), dtype)
        blocks = [array[step:step + 1] for step in range(self.steps)] if self.is_list else [array]
        return make_sequence(name, blocks, self.is_list)

    cdef int check_state(self, object layer, object state, CommandBuffer command_buffer) except -1:
        return check_image_state(layer, state, self.extent, command_buffer)

    cdef object new_state(self, object layer, pymps_state *handle, CommandBuffer command_buffer):
        return make_image_state(layer, handle, self.extent, command_buffer)


cdef ImageSequence make_sequence(str name, list blocks, bint is_list):
    cdef ImageSequence sequence = ImageSequence.__new__(ImageSequence)
    sequence.descriptor = describe_images(blocks[0])
    sequence.extent = blocks[0].shape[1:4]
    sequence.described(name, blocks, is_list)
    return sequence


cdef bint is_dense(cnp.ndarray block) noexcept:
    """Whether each step is an array without gaps, and its elements are aligned."""
    cdef Py_ssize_t stride = cnp.PyArray_ITEMSIZE(block)
    cdef int axis
    for axis in range(cnp.PyArray_NDIM(block) - 1, 0, -1):
        if cnp.PyArray_DIM(block, axis) > 1 and cnp.PyArray_STRIDE(block, axis) != stride:
            return False
        stride *= cnp.PyArray_DIM(block, axis)
    return cnp.PyArray_ISALIGNED(block)


cdef bint is_same(const pymps_image_descriptor *a, const pymps_image_descriptor *b) noexcept:
    return (a.width == b.width and a.height == b.height and a.feature_channels == b.feature_channels
            and a.number_of_images == b.number_of_images and a.channel_format == b.channel_format)


cdef Image staging_image(Staging staging, Device device, const pymps_image_descriptor *descriptor):
    """An image that no other step of this call uses: one of the last call, or a new one."""
    cdef Image image
    cdef Py_ssize_t index
    for index in range(len(staging.idle)):
        image = staging.idle[index]
        if is_same(&image.descriptor, descriptor):
            del staging.idle[index]
            break
    else:
        image = new_image(device, descriptor)
    staging.images.append(image)
    return image


# ---- Checks ----

cdef ImageSequence checked_input(str name, object x, Py_ssize_t features):
    return checked_sequence(name, x, isinstance(x, (list, tuple)), features)


cdef bint holds_images(object value) except -1:
    return isinstance(value, (list, tuple)) and any(isinstance(image, Image) for image in value)


cdef ImageSequence checked_images(str name, object x, Py_ssize_t features):
    if not holds_images(x):
        return checked_input(name, x, features)
    cdef ImageSequence sequence = ImageSequence.__new__(ImageSequence)
    cdef Image first = x[0] if isinstance(x[0], Image) else None
    for step, image in enumerate(x):
        if not isinstance(image, Image):
            raise TypeError(f"{name}[{step}]: {describe(image)}, expected an Image as the others are")
        if image.shape != (*first.shape[:3], features):
            raise ValueError(f"{name}[{step}]: an image of shape {image.shape}, expected {(*first.shape[:3], features)}")
    sequence.name = name
    sequence.is_list = True
    sequence.given = list(x)
    sequence.blocks = []
    sequence.steps = len(sequence.given)
    sequence.extent = first.shape[:3]
    return sequence


cdef ImageSequence checked_sequence(str name, object value, bint is_list, Py_ssize_t features):
    if not is_list:
        return make_sequence(name, [checked_block(name, -1, value, 5, features)], False)
    if not value:
        raise ValueError(f"{name}: empty, expected at least one step")
    blocks = [checked_block(name, step, array, 4, features)[np.newaxis] for step, array in enumerate(value)]
    for step, block in enumerate(blocks):
        if block.dtype != blocks[0].dtype:
            raise TypeError(f"{name}[{step}]: {block.dtype}, expected {blocks[0].dtype} as in {name}[0]")
        if block.shape != blocks[0].shape:
            raise ValueError(f"{name}[{step}]: shape {block.shape[1:]}, expected {blocks[0].shape[1:]} as in {name}[0]")
    return make_sequence(name, blocks, True)


cdef object checked_block(str name, Py_ssize_t step, object array, int ndim, Py_ssize_t features):
    """An array that fits; `step` is its index in a list, -1 outside one."""
    axes = "T, N, H, W" if ndim == 5 else "N, H, W"
    expected = f"a float32, float16, uint16 or uint8 array of shape ({axes}, {features})"
    if not is_plain_array(array) or format_of(array.dtype) is None:
        raise TypeError(f"{place_of(name, step)}: {describe(array)}, expected {expected}")
    if array.ndim != ndim or array.shape[ndim - 1] != features or array.size == 0:
        raise ValueError(f"{place_of(name, step)}: {describe(array)}, expected {expected}, each length at least 1")
    return array


cdef int check_writable(str where, object block) except -1:
    if not block.flags.writeable:
        raise ValueError(f"{where}: read-only, expected a writable array")
    if overlaps_itself(block):
        raise ValueError(f"{where}: elements that share memory (strides {block.strides}), expected elements apart")
    return 0
