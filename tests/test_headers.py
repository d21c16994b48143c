"""The portable headers declare what Apple's SDK declares, nothing else, and of the classes below everything."""

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
    "MPSCNNKernel",
    "MPSGRUDescriptor",
    "MPSImage",
    "MPSImageCopyToMatrix",
    "MPSImageDescriptor",
    "MPSKernel",
    "MPSLSTMDescriptor",
    "MPSMatrix",
    "MPSMatrixCopy",
    "MPSMatrixCopyDescriptor",
    "MPSMatrixCopyToImage",
    "MPSMatrixDescriptor",
    "MPSNNOptimizer",
    "MPSNNOptimizerAdam",
    "MPSNNOptimizerDescriptor",
    "MPSNNOptimizerRMSProp",
    "MPSNNOptimizerStochasticGradientDescent",
    "MPSRNNDescriptor",
    "MPSRNNImageInferenceLayer",
    "MPSRNNMatrixInferenceLayer",
    "MPSRNNMatrixTrainingLayer",
    "MPSRNNMatrixTrainingState",
    "MPSRNNRecurrentImageState",
    "MPSRNNRecurrentMatrixState",
    "MPSRNNSingleGateDescriptor",
    "MPSState",
    "MPSStateResourceList",
    "MPSTemporaryImage",
    "MTLBuffer",
    "MTLCommandBuffer",
    "MTLTexture",
    "MTLTextureDescriptor",
]

CONVOLUTIONS = "updates the weights of a convolution in a graph; there are no such graphs"
DESTINATIONS = "is for destinations that a kernel makes itself; recurrent layers are given theirs"
DRAWING = "draws"
NORMALIZATION = "updates a batch normalisation in a graph; there are no such graphs"
ONE_IMAGE = "runs a kernel over single images; recurrent layers run over sequences"
PEERS = "is for linked GPUs; the portable device has no peers"
RESULT_STATES = "is for the states that kernels leave beside a single image"
SHADERS = "is for shaders, which the portable device does not run"
SPARSE = "is for sparse textures"
SURFACES = "is for surfaces that a Mac's processes share and show"
ABSENT = {
    "MPSCNNKernel -appendBatchBarrier": ONE_IMAGE,
    "MPSCNNKernel -batchEncodingStorageSizeForSourceImage:sourceStates:destinationImage:": ONE_IMAGE,
    "MPSCNNKernel -destinationImageDescriptorForSourceImages:sourceStates:": DESTINATIONS,
    "MPSCNNKernel -encodeBatchToCommandBuffer:sourceImages:": ONE_IMAGE,
    "MPSCNNKernel -encodeBatchToCommandBuffer:sourceImages:destinationImages:": ONE_IMAGE,
    "MPSCNNKernel -encodeBatchToCommandBuffer:sourceImages:destinationStates:destinationImages:": ONE_IMAGE,
    "MPSCNNKernel -encodeBatchToCommandBuffer:sourceImages:destinationStates:destinationStateIsTemporary:": ONE_IMAGE,
    "MPSCNNKernel -encodeToCommandBuffer:sourceImage:": ONE_IMAGE,
    "MPSCNNKernel -encodeToCommandBuffer:sourceImage:destinationImage:": ONE_IMAGE,
    "MPSCNNKernel -encodeToCommandBuffer:sourceImage:destinationState:destinationImage:": ONE_IMAGE,
    "MPSCNNKernel -encodeToCommandBuffer:sourceImage:destinationState:destinationStateIsTemporary:": ONE_IMAGE,
    "MPSCNNKernel -encodingStorageSizeForSourceImage:sourceStates:destinationImage:": ONE_IMAGE,
    "MPSCNNKernel -isResultStateReusedAcrossBatch": RESULT_STATES,
    "MPSCNNKernel -resultStateBatchForSourceImage:sourceStates:destinationImage:": RESULT_STATES,
    "MPSCNNKernel -resultStateForSourceImage:sourceStates:destinationImage:": RESULT_STATES,
    "MPSCNNKernel -temporaryResultStateBatchForCommandBuffer:sourceImage:sourceStates:destinationImage:": RESULT_STATES,
    "MPSCNNKernel -temporaryResultStateForCommandBuffer:sourceImage:sourceStates:destinationImage:": RESULT_STATES,
    "MPSCNNKernel padding": DESTINATIONS,
    "MTLBuffer -newRemoteBufferViewForDevice:": PEERS,
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
    "MTLCommandBuffer -resourceStateCommandEncoder": SPARSE,
    "MTLCommandBuffer -resourceStateCommandEncoderWithDescriptor:": SPARSE,
    "MTLCommandBuffer logs": SHADERS,
    "MTLTexture -newRemoteTextureViewForDevice:": PEERS,
    "MTLTexture -newSharedTextureHandle": SURFACES,
    "MTLTexture firstMipmapInTail": SPARSE,
    "MTLTexture iosurface": SURFACES,
    "MTLTexture iosurfacePlane": SURFACES,
    "MTLTexture isSparse": SPARSE,
    "MTLTexture remoteStorageTexture": PEERS,
    "MTLTexture tailSizeInBytes": SPARSE,
}
# Each with what an optimizer is given beside a gradient.
GRAPH_STATES = {
    "convolutionGradientState:convolutionSourceState:": CONVOLUTIONS,
    "batchNormalizationGradientState:batchNormalizationSourceState:": NORMALIZATION,
    "batchNormalizationState:": NORMALIZATION,
}
OPTIMIZER_STATES = [
    ("StochasticGradientDescent", "inputMomentumVectors:"),
    ("RMSProp", "inputSumOfSquaresVectors:"),
    ("Adam", "inputMomentumVectors:inputVelocityVectors:"),
    ("Adam", "inputMomentumVectors:inputVelocityVectors:maximumVelocityVectors:"),
]
ABSENT |= {
    f"MPSNNOptimizer{name} -encodeToCommandBuffer:{graph}{states}resultState:": reason
    for name, states in OPTIMIZER_STATES
    for graph, reason in GRAPH_STATES.items()
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
