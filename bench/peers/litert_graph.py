"""Models for LiteRT, written with the schema module that its package ships."""

from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

_TYPES = {
    np.dtype(np.float32): schema.TensorType.FLOAT32,
    np.dtype(np.int8): schema.TensorType.INT8,
    np.dtype(np.int32): schema.TensorType.INT32,
}


class Graph:
    """A model under construction. Tensors are numbers; -1 stands for one that is left out."""

    def __init__(self) -> None:
        self._tensors: list[Any] = []
        self._operators: list[Any] = []
        self._codes: dict[tuple[int, int], int] = {}
        self._buffers: list[Any] = [schema.BufferT()]  # the first one is for tensors without data

    def tensor(self, *shape: int, is_variable: bool = False) -> int:
        """float32, for what is computed."""
        return self._add(shape, schema.TensorType.FLOAT32, 0, isVariable=is_variable)

    def constant(self, values: npt.NDArray[Any], scale: float | None = None) -> int:
        """int8 has a scale."""
        self._buffers.append(schema.BufferT(data=np.frombuffer(values.tobytes(), np.uint8)))
        quantization = None if scale is None else schema.QuantizationParametersT(scale=[scale], zeroPoint=[0])
        return self._add(values.shape, _TYPES[values.dtype], len(self._buffers) - 1, quantization=quantization)

    def resource(self) -> int:
        return self._add((), schema.TensorType.RESOURCE, 0)

    def operator(
        self,
        name: str,
        inputs: list[int],
        outputs: list[int],
        options: str | None = None,
        version: int = 1,
        **values: Any,
    ) -> None:
        """`options` is the name of the schema's table, `values` what it holds."""
        code = getattr(schema.BuiltinOperator, name), version
        operator = schema.OperatorT(
            opcodeIndex=self._codes.setdefault(code, len(self._codes)), inputs=inputs, outputs=outputs
        )
        if options is not None:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
            operator.builtinOptions = getattr(schema, f"{options}T")(**values)
        self._operators.append(operator)

    def model(self, inputs: list[int], outputs: list[int]) -> bytes:
        codes = [
            schema.OperatorCodeT(deprecatedBuiltinCode=min(code, 127), builtinCode=code, version=version)
            for code, version in self._codes
        ]
        graph = schema.SubGraphT(tensors=self._tensors, inputs=inputs, outputs=outputs, operators=self._operators)
        model = schema.ModelT(version=3, operatorCodes=codes, subgraphs=[graph], buffers=self._buffers)
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _add(self, shape: tuple[int, ...], kind: int, buffer: int, **options: Any) -> int:
        name = f"t{len(self._tensors)}"
        self._tensors.append(schema.TensorT(shape=list(shape), type=kind, buffer=buffer, name=name, **options))
        return len(self._tensors) - 1
