// Names of a recurrent layer's weights, one by one.
#import <MetalPerformanceShaders/MPSCoreTypes.h>

typedef NS_ENUM(NSUInteger, MPSRNNMatrixId) {
    MPSRNNMatrixIdSingleGateInputWeights = 0,
    MPSRNNMatrixIdSingleGateRecurrentWeights,
    MPSRNNMatrixIdSingleGateBiasTerms,

    MPSRNNMatrixIdLSTMInputGateInputWeights,
    MPSRNNMatrixIdLSTMInputGateRecurrentWeights,
    MPSRNNMatrixIdLSTMInputGateMemoryWeights,
    MPSRNNMatrixIdLSTMInputGateBiasTerms,

    MPSRNNMatrixIdLSTMForgetGateInputWeights,
    MPSRNNMatrixIdLSTMForgetGateRecurrentWeights,
    MPSRNNMatrixIdLSTMForgetGateMemoryWeights,
    MPSRNNMatrixIdLSTMForgetGateBiasTerms,

    // The memory gate is the descriptor's cell gate.
    MPSRNNMatrixIdLSTMMemoryGateInputWeights,
    MPSRNNMatrixIdLSTMMemoryGateRecurrentWeights,
    MPSRNNMatrixIdLSTMMemoryGateMemoryWeights,
    MPSRNNMatrixIdLSTMMemoryGateBiasTerms,

    MPSRNNMatrixIdLSTMOutputGateInputWeights,
    MPSRNNMatrixIdLSTMOutputGateRecurrentWeights,
    MPSRNNMatrixIdLSTMOutputGateMemoryWeights,
    MPSRNNMatrixIdLSTMOutputGateBiasTerms,

    MPSRNNMatrixIdGRUInputGateInputWeights,
    MPSRNNMatrixIdGRUInputGateRecurrentWeights,
    MPSRNNMatrixIdGRUInputGateBiasTerms,

    MPSRNNMatrixIdGRURecurrentGateInputWeights,
    MPSRNNMatrixIdGRURecurrentGateRecurrentWeights,
    MPSRNNMatrixIdGRURecurrentGateBiasTerms,

    MPSRNNMatrixIdGRUOutputGateInputWeights,
    MPSRNNMatrixIdGRUOutputGateRecurrentWeights,
    MPSRNNMatrixIdGRUOutputGateInputGateWeights,
    MPSRNNMatrixIdGRUOutputGateBiasTerms,

    MPSRNNMatrixId_count,
};
