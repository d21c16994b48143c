"""Layers as bytes and back, for tests; and bytes that are no layer any more, with a checksum that still fits."""

import plistlib
import struct

import pymps

HEAD_BYTES, CHECKSUM_OFFSET = 48, 40  # the checksum ends the head


def unarchived(layer: pymps.MatrixInferenceLayer) -> pymps.MatrixInferenceLayer:
    """The layer that comes back, on another object for the same device."""
    return pymps.MatrixInferenceLayer.from_bytes(pymps.Device(layer.device.backend), layer.to_bytes())


def fnv1a(data: bytes) -> int:
    checksum = 0xCBF29CE484222325
    for byte in data:
        checksum = (checksum ^ byte) * 0x100000001B3 % 2**64
    return checksum


def with_checksum(data: bytes) -> bytes:
    checksum = fnv1a(data[:CHECKSUM_OFFSET] + data[HEAD_BYTES:])
    return data[:CHECKSUM_OFFSET] + struct.pack("<Q", checksum) + data[HEAD_BYTES:]


def payload_offset(data: bytes) -> int:
    """Behind the head, which says how many layers there are, and the three numbers of each layer."""
    (layer_count,) = struct.unpack_from("<I", data, 12)
    return HEAD_BYTES + layer_count * 24


def with_payload(data: bytes, payload: bytes) -> bytes:
    """The archive with another payload; its length and checksum fit."""
    return with_checksum(data[:32] + struct.pack("<Q", len(payload)) + data[40 : payload_offset(data)] + payload)


class ForgedArchive:
    """The archive of a layer of the portable backend, taken apart: what is changed in `layer` goes into `data`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._archive = plistlib.loads(data[payload_offset(data) :])
        (self._object,) = (one for one in self._archive["$objects"] if isinstance(one, dict) and "layer" in one)
        self.layer = plistlib.loads(self._object["layer"])

    def data(self) -> bytes:
        """Each checksum fits what it is of."""
        self._object["layer"] = plistlib.dumps(self.layer, fmt=plistlib.FMT_BINARY)
        (self._object["layerChecksum"],) = struct.unpack("<q", struct.pack("<Q", fnv1a(self._object["layer"])))
        return with_payload(self._data, plistlib.dumps(self._archive, fmt=plistlib.FMT_BINARY))
