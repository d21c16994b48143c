// The recurrent part of Metal Performance Shaders, on the CPU.
#import <Metal/Metal.h>
#import <MetalPerformanceShaders/MPSCoreTypes.h>
#import <MetalPerformanceShaders/MPSDevice.h>
#import <MetalPerformanceShaders/MPSKeyedUnarchiver.h>
#import <MetalPerformanceShaders/MPSKernel.h>
#import <MetalPerformanceShaders/MPSImage.h>
#import <MetalPerformanceShaders/MPSState.h>
#import <MetalPerformanceShaders/MPSMatrix.h>
#import <MetalPerformanceShaders/MPSVector.h>
#import <MetalPerformanceShaders/MPSCNNNeuron.h>
#import <MetalPerformanceShaders/MPSCNNConvolution.h>
#import <MetalPerformanceShaders/MPSRNNDescriptor.h>
#import <MetalPerformanceShaders/MPSRNNSingleGateDescriptor.h>
#import <MetalPerformanceShaders/MPSGRUDescriptor.h>
#import <MetalPerformanceShaders/MPSLSTMDescriptor.h>
#import <MetalPerformanceShaders/MPSRNNMatrixId.h>
#import <MetalPerformanceShaders/MPSRNNMatrixInferenceLayer.h>
