"""Python code that native threads call, at times of their choice.

Once the interpreter is ending, a thread that asks for the GIL is lost. So each such call asks `enter` first; when the
interpreter ends, those that are inside are waited for, and no more are let in: what they would have released belongs to
a process that is ending.
"""

from cpython.exc cimport PyErr_SetObject, PyErr_WriteUnraisable
from cpython.ref cimport Py_DECREF, Py_INCREF
from posix.unistd cimport usleep

import atexit
import os

cdef extern from *:
    int add "__atomic_add_fetch"(int *place, int value, int order) noexcept nogil
    int load "__atomic_load_n"(int *place, int order) noexcept nogil
    void store "__atomic_store_n"(int *place, int value, int order) noexcept nogil
    int SEQUENTIAL "__ATOMIC_SEQ_CST"

cdef int _inside = 0   # how many calls have entered and not left
cdef int _is_over = 0


cdef bint enter() noexcept nogil:
    add(&_inside, 1, SEQUENTIAL)
    if load(&_is_over, SEQUENTIAL):
        leave()
        return False
    return True


cdef void leave() noexcept nogil:
    add(&_inside, -1, SEQUENTIAL)


@atexit.register
def _end():
    store(&_is_over, 1, SEQUENTIAL)
    with nogil:
        while load(&_inside, SEQUENTIAL) > 0:
            usleep(100)


def _begin_in_child():
    """The threads that were inside have not come along."""
    store(&_inside, 0, SEQUENTIAL)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_in_child)


cdef void retain(void *object) noexcept nogil:
    with gil:
        Py_INCREF(<object>object)


cdef void release(void *object) noexcept nogil:
    if enter():
        with gil:
            Py_DECREF(<object>object)
        leave()


cdef int report(object exception, object where) except -1:
    PyErr_SetObject(type(exception), exception)
    PyErr_WriteUnraisable(where)
    return 0
