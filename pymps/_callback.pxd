# Whether native code may call into Python now; where it may, `leave` follows.
cdef bint enter() noexcept nogil
cdef void leave() noexcept nogil

# What native code does with an object that it keeps.
cdef void retain(void *object) noexcept nogil
cdef void release(void *object) noexcept nogil

# What Python does with an exception that nobody can catch; `where` is what raised it.
cdef int report(object exception, object where) except -1
