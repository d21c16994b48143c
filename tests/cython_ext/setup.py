"""Builds stranger.pyx as any project would that uses pymps from Cython."""

from Cython.Build import cythonize
from setuptools import Extension, setup

import pymps

setup(
    name="stranger",
    ext_modules=cythonize(
        [Extension("stranger", ["stranger.pyx"], include_dirs=[pymps.get_include()])], language_level=3, quiet=True
    ),
)
