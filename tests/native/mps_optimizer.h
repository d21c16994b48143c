// Optimizers and what they are given, for tests.
#import "mps_training.h"

enum { kRows2 = 3, kColumns = 301, kCount = kRows2 * kColumns };

/// gradient, values, result and up to three states, as matrices or as vectors of one row.
typedef struct Operands {
    MPSMatrix *gradient, *values, *result, *states[3];
    bool areVectors;
} Operands;

static inline MPSVector *vector_of(MPSMatrix *matrix) {
    if (matrix == nil) {
        return nil;
    }
    NSUInteger element = matrix.dataType == MPSDataTypeFloat16 ? 2 : 4;
    MPSVectorDescriptor *descriptor =
        [MPSVectorDescriptor vectorDescriptorWithLength:matrix.rows * matrix.rowBytes / element
                                               dataType:matrix.dataType];
    return [[[MPSVector alloc] initWithBuffer:matrix.data descriptor:descriptor] autorelease];
}

static inline void encode_sgd(id<MTLCommandBuffer> to, MPSNNOptimizer *optimizer, const Operands *o) {
    MPSNNOptimizerStochasticGradientDescent *sgd = (MPSNNOptimizerStochasticGradientDescent *)optimizer;
    if (o->areVectors) {
        [sgd encodeToCommandBuffer:to
               inputGradientVector:vector_of(o->gradient)
                 inputValuesVector:vector_of(o->values)
               inputMomentumVector:vector_of(o->states[0])
                resultValuesVector:vector_of(o->result)];
    } else {
        [sgd encodeToCommandBuffer:to
               inputGradientMatrix:o->gradient
                 inputValuesMatrix:o->values
               inputMomentumMatrix:o->states[0]
                resultValuesMatrix:o->result];
    }
}

static inline void encode_rms(id<MTLCommandBuffer> to, MPSNNOptimizer *optimizer, const Operands *o) {
    MPSNNOptimizerRMSProp *rms = (MPSNNOptimizerRMSProp *)optimizer;
    if (o->areVectors) {
        [rms encodeToCommandBuffer:to
                inputGradientVector:vector_of(o->gradient)
                  inputValuesVector:vector_of(o->values)
            inputSumOfSquaresVector:vector_of(o->states[0])
                 resultValuesVector:vector_of(o->result)];
    } else {
        [rms encodeToCommandBuffer:to
                inputGradientMatrix:o->gradient
                  inputValuesMatrix:o->values
            inputSumOfSquaresMatrix:o->states[0]
                 resultValuesMatrix:o->result];
    }
}

static inline void encode_adam(id<MTLCommandBuffer> to, MPSNNOptimizer *optimizer, const Operands *o) {
    MPSNNOptimizerAdam *adam = (MPSNNOptimizerAdam *)optimizer;
    if (o->areVectors && o->states[2] == nil) {
        [adam encodeToCommandBuffer:to
                inputGradientVector:vector_of(o->gradient)
                  inputValuesVector:vector_of(o->values)
                inputMomentumVector:vector_of(o->states[0])
                inputVelocityVector:vector_of(o->states[1])
                 resultValuesVector:vector_of(o->result)];
    } else if (o->areVectors) {
        [adam encodeToCommandBuffer:to
                inputGradientVector:vector_of(o->gradient)
                  inputValuesVector:vector_of(o->values)
                inputMomentumVector:vector_of(o->states[0])
                inputVelocityVector:vector_of(o->states[1])
              maximumVelocityVector:vector_of(o->states[2])
                 resultValuesVector:vector_of(o->result)];
    } else if (o->states[2] == nil) {
        [adam encodeToCommandBuffer:to
                inputGradientMatrix:o->gradient
                  inputValuesMatrix:o->values
                inputMomentumMatrix:o->states[0]
                inputVelocityMatrix:o->states[1]
                 resultValuesMatrix:o->result];
    } else {
        [adam encodeToCommandBuffer:to
                inputGradientMatrix:o->gradient
                  inputValuesMatrix:o->values
                inputMomentumMatrix:o->states[0]
                inputVelocityMatrix:o->states[1]
              maximumVelocityMatrix:o->states[2]
                 resultValuesMatrix:o->result];
    }
}

typedef void (*encoder)(id<MTLCommandBuffer> to, MPSNNOptimizer *optimizer, const Operands *operands);

static inline double number_at(MPSMatrix *matrix, NSUInteger i) {
    const char *row = (const char *)matrix_row(matrix, i / kColumns);
    return matrix.dataType == MPSDataTypeFloat16 ? number_from_half(((const uint16_t *)row)[i % kColumns])
                                                 : (double)((const float *)row)[i % kColumns];
}

static inline void set_number(MPSMatrix *matrix, NSUInteger i, double number) {
    char *row = (char *)matrix_row(matrix, i / kColumns);
    if (matrix.dataType == MPSDataTypeFloat16) {
        ((uint16_t *)row)[i % kColumns] = half_from_number(number);
    } else {
        ((float *)row)[i % kColumns] = (float)number;
    }
}

/// Vectors go over the rows' gaps too.
static inline MPSMatrix *make_operand(MPSDataType dataType, NSUInteger gap, unsigned seed) {
    NSUInteger element = dataType == MPSDataTypeFloat16 ? 2 : 4;
    MPSMatrixDescriptor *descriptor = [MPSMatrixDescriptor matrixDescriptorWithRows:kRows2
                                                                            columns:kColumns
                                                                           rowBytes:(kColumns + gap) * element
                                                                           dataType:dataType];
    id<MTLBuffer> buffer = [[device newBufferWithLength:kRows2 * descriptor.rowBytes
                                                options:MTLResourceStorageModeShared] autorelease];
    MPSMatrix *matrix = [[[MPSMatrix alloc] initWithBuffer:buffer descriptor:descriptor] autorelease];
    for (NSUInteger i = 0; seed != 0 && i < kCount; i++) {
        set_number(matrix, i, test_number(seed, i));
    }
    return matrix;
}

/// Every kind of preparation, by its number.
static inline MPSNNOptimizerDescriptor *make_descriptor(int kind) {
    return [MPSNNOptimizerDescriptor optimizerDescriptorWithLearningRate:0.125f
                                                         gradientRescale:kind == 0 ? 1 : 0.75f
                                                   applyGradientClipping:kind == 2
                                                         gradientClipMax:0.25f
                                                         gradientClipMin:-0.125f
                                                      regularizationType:(MPSNNRegularizationType)kind
                                                     regularizationScale:0.0625f];
}
