"""The native library, loaded when the first device is asked for, and its errors as exceptions."""

from posix.dlfcn cimport RTLD_LOCAL, RTLD_NOW, dlerror, dlopen, dlsym

import os
import sys

from pymps.errors import CommandBufferError, DeviceError

ctypedef uint32_t (*abi_version_function)() noexcept nogil
ctypedef const pymps_backend **(*backends_function)(size_t *count) noexcept nogil

made_here = object()

cdef backends_function _backends = NULL  # set once, with the GIL held; the library is never unloaded


cdef const pymps_backend **backends(size_t *count) except NULL:
    """The table of backends, best first. Static storage."""
    global _backends
    if _backends == NULL:
        _backends = _load()
    return _backends(count)


cdef backends_function _load() except NULL:
    suffix = ".dylib" if sys.platform == "darwin" else ".so"
    path = os.path.join(os.path.dirname(__file__), "libpymps" + suffix)
    cdef void *library = dlopen(os.fsencode(path), RTLD_NOW | RTLD_LOCAL)
    if library == NULL:
        raise ImportError(f"the native library of pymps does not load: {os.fsdecode(dlerror())}", path=path)
    cdef abi_version_function version = <abi_version_function>dlsym(library, "pymps_abi_version")
    cdef backends_function found = <backends_function>dlsym(library, "pymps_backends")
    if version == NULL or found == NULL or version() != PYMPS_ABI_VERSION:
        came = "none" if version == NULL else version()
        raise ImportError(f"{path}: interface version {came}, expected {PYMPS_ABI_VERSION}; build pymps again", path=path)
    return found


cdef int raise_error(const pymps_error *error) except -1 with gil:
    raise exception_of(error)


cdef object exception_of(const pymps_error *error):
    """The one place where a status becomes an exception."""
    text = (<const char *>&error.text[0]).decode("utf-8", "replace")
    if error.status == PYMPS_ERROR_ARGUMENT:
        return ValueError(text)
    if error.status == PYMPS_ERROR_DEVICE:
        return DeviceError(text)
    if error.status == PYMPS_ERROR_MEMORY:
        return DeviceError(text if "out of device memory" in text else f"out of device memory: {text}")
    if error.status == PYMPS_ERROR_COMMAND_BUFFER:
        return CommandBufferError(text, error.code)
    return RuntimeError(text)
