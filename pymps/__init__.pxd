# What other people's Cython may cimport. It is compiled with pymps.get_include() on the include path.
from pymps._image_stream cimport ImageStream
from pymps._native cimport *
from pymps._stream cimport StepStream, Stream
