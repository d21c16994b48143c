from pymps._native cimport *

# Proof that an object is made by the package itself: what may not be called from Python asks for it.
cdef object made_here

cdef const pymps_backend **backends(size_t *count) except NULL
cdef object exception_of(const pymps_error *error)
cdef int raise_error(const pymps_error *error) except -1 with gil

cdef inline int check(pymps_status status, const pymps_error *error) except -1 nogil:
    """Raises what `error` says, unless the status is PYMPS_OK."""
    return 0 if status == PYMPS_OK else raise_error(error)
