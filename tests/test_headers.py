"""The portable headers declare what Apple's SDK declares, nothing else, and of the matrix family everything."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
APPLE_API = Path(os.environ.get("PYMPS_APPLE_API", ROOT.parent / "shared" / "apple-api"))

# Whose members are all declared, but for those below.
COMPLETE = [
    "MPSCNNConvolutionDataSource",
    "MPSGRUDescriptor",
    "MPSKernel",
    "MPSLSTMDescriptor",
    "MPSMatrix",
    "MPSMatrixDescriptor",
    "MPSRNNDescriptor",
    "MPSRNNMatrixInferenceLayer",
    "MPSRNNRecurrentMatrixState",
    "MPSRNNSingleGateDescriptor",
    "MPSState",
    "MTLBuffer",
    "MTLCommandBuffer",
]

DRAWING = "draws"
IMAGES = "is about images, which the portable classes do not have"
PEERS = "is for linked GPUs; the portable device has no peers"
SHADERS = "is for shaders, which the portable device does not run"
ABSENT = {
    "MPSState +temporaryStateWithCommandBuffer:textureDescriptor:": IMAGES,
    "MPSState -destinationImageDescriptorForSourceImages:sourceStates:forKernel:suggestedDescriptor:": IMAGES,
    "MPSState -initWithDevice:textureDescriptor:": IMAGES,
    "MPSState -textureInfoAtIndex:": IMAGES,
    "MTLBuffer -newRemoteBufferViewForDevice:": PEERS,
    "MTLBuffer -newTextureWithDescriptor:offset:bytesPerRow:": IMAGES,
    "MTLBuffer remoteStorageBuffer": PEERS,
    "MTLCommandBuffer -accelerationStructureCommandEncoder": "is for ray tracing",
    "MTLCommandBuffer -blitCommandEncoderWithDescriptor:": "samples a GPU's hardware counters",
    "MTLCommandBuffer -computeCommandEncoder": SHADERS,
    "MTLCommandBuffer -computeCommandEncoderWithDescriptor:": SHADERS,
    "MTLCommandBuffer -computeCommandEncoderWithDispatchType:": SHADERS,
    "MTLCommandBuffer -parallelRenderCommandEncoderWithDescriptor:": DRAWING,
    "MTLCommandBuffer -presentDrawable:": DRAWING,
    "MTLCommandBuffer -presentDrawable:afterMinimumDuration:": DRAWING,
    "MTLCommandBuffer -presentDrawable:atTime:": DRAWING,
    "MTLCommandBuffer -renderCommandEncoderWithDescriptor:": DRAWING,
    "MTLCommandBuffer -resourceStateCommandEncoder": "is for sparse textures",
    "MTLCommandBuffer -resourceStateCommandEncoderWithDescriptor:": "is for sparse textures",
    "MTLCommandBuffer logs": SHADERS,
}

pytestmark = [
    pytest.mark.modeless,
    pytest.mark.skipif(
        not (APPLE_API / "check_headers.py").is_file(),
        reason=f"no check_headers.py in {APPLE_API}: set PYMPS_APPLE_API to the directory of Apple's declarations",
    ),
    pytest.mark.skipif(importlib.util.find_spec("clang") is None, reason="parsing headers needs libclang==18.1.1"),
]


@pytest.fixture(scope="module")
def checked() -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", APPLE_API / "check_headers.py", "--table", APPLE_API / "macos12.json"]
    command += ["--headers", ROOT / "native/portable/include", "--missing", ",".join(COMPLETE)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_headers_agree_with_apple(checked: subprocess.CompletedProcess[str]) -> None:
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_nothing_is_missing(checked: subprocess.CompletedProcess[str]) -> None:
    """Lines like `missing: class MPSState: method -textureInfoAtIndex: (NSUInteger) -> ...`; the kind is left out."""
    assert checked.returncode != 2, checked.stderr
    missing = set()
    for line in checked.stdout.splitlines():
        if line.startswith("missing: "):
            _, owner, member = line.split(": ", 2)
            missing.add(f"{owner.split()[1]} {' '.join(member.split()[1:2])}")
    undeclared, declared_by_now = sorted(missing - ABSENT.keys()), sorted(ABSENT.keys() - missing)
    assert not undeclared, "\n".join(undeclared)
    assert not declared_by_now, "\n".join(declared_by_now)
