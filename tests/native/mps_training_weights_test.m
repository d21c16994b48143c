// The weights of MPSRNNMatrixTrainingLayer, in and out.
#import "mps_training.h"

static MPSRNNMatrixTrainingLayer *layer;
static NSMutableArray<MPSMatrix *> *weights;

static void set_up(MPSRNNDescriptor *descriptor) {
    weights = [NSMutableArray array];
    layer = make_training(descriptor, weights);
}

static void copy_weights(NSArray<MPSMatrix *> *all, MPSRNNMatrixId matrixId, MPSMatrix *matrix, BOOL isOut,
                         MTLOrigin origin) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [layer encodeCopyWeightsToCommandBuffer:commandBuffer
                                    weights:all
                                   matrixId:matrixId
                                     matrix:matrix
                    copyFromWeightsToMatrix:isOut
                               matrixOffset:origin];
    run(commandBuffer);
}

static const MTLOrigin noOffset = {0, 0, 0};

/// Out: what the sources had. In and out again: what was put in; a block of a larger matrix, whose rest stays.
static void check_copies(MPSRNNDescriptor *descriptor) {
    set_up(descriptor);
    NSMutableArray<MPSMatrix *> *own = [NSMutableArray array];
    [layer createWeightMatrices:own];
    CHECK(own.count == weights.count);
    for (MPSMatrix *matrix in [weights arrayByAddingObjectsFromArray:own]) { // such as a client may see as a vector
        CHECK(matrix.offset == 0 && matrix.data.length >= matrix.rows * matrix.rowBytes);
        CHECK(matrix.rowBytes == matrix.columns * (descriptor.useFloat32Weights ? 4 : 2));
        CHECK(matrix.data.storageMode == MTLStorageModeShared);
    }
    NSRange ids = ids_of(descriptor);
    for (MPSRNNMatrixId weight = ids.location; weight < NSMaxRange(ids); weight++) {
        NSUInteger rows = weight_rows(descriptor, weight), columns = weight_columns(weight), count = rows * columns;
        double wanted[kOutputs * kOutputs], zeros[kOutputs * kOutputs] = {0};
        for (NSUInteger i = 0; i < count; i++) {
            wanted[i] = weight_number(descriptor, source_numbers(descriptor, weight)[i]);
        }
        CHECK(is_close(matrix_row(copy_out(layer, descriptor, weights, weight), 0), wanted, count, 0));
        CHECK(is_close(matrix_row(copy_out(layer, descriptor, own, weight), 0), zeros, count, 0));

        MPSMatrix *larger = make_matrix(rows + 2, columns + 3), *before = make_matrix(rows + 2, columns + 3);
        fill_matrix(larger, (unsigned)weight);
        fill_matrix(before, (unsigned)weight);
        const MTLOrigin origin = {1, 2, 0};
        copy_weights(own, weight, larger, NO, origin);
        MPSMatrix *out = copy_out(layer, descriptor, own, weight);
        for (NSUInteger i = 0; i < count; i++) {
            wanted[i] = weight_number(descriptor, matrix_row(larger, 1 + i / columns)[2 + i % columns]);
        }
        CHECK(is_close(matrix_row(out, 0), wanted, count, 0));
        CHECK(are_equal(larger, before));
        copy_weights(weights, weight, larger, YES, origin);
        for (NSUInteger row = 0; row < rows + 2; row++) {
            for (NSUInteger column = 0; column < columns + 3; column++) {
                bool isInside = row >= 1 && row < 1 + rows && column >= 2 && column < 2 + columns;
                float number =
                    isInside ? (float)weight_number(
                                   descriptor, source_numbers(descriptor, weight)[(row - 1) * columns + column - 2])
                             : matrix_row(before, row)[column];
                CHECK(matrix_row(larger, row)[column] == number);
            }
        }
    }
}

static void test_weights_in_and_out(void) {
    for (int half = 0; half < 2; half++) {
        MPSLSTMDescriptor *full = make_lstm(kInputs, kOutputs, YES, 1),
                          *diagonal = make_lstm(kInputs, kOutputs, YES, 2);
        diagonal.memoryWeightsAreDiagonal = YES;
        for (MPSRNNDescriptor *descriptor in
             @[ full, diagonal, make_gru(kInputs, kOutputs, 3), make_single_gate(kInputs, kOutputs, 4) ]) {
            descriptor.useFloat32Weights = half == 0;
            check_copies(descriptor);
        }
    }
}

static void test_half_matrices(void) {
    set_up(make_single_gate(kInputs, kOutputs, 5));
    MPSMatrix *half = make_strided_matrix(kOutputs, kInputs, 2 * kInputs, MPSDataTypeFloat16);
    copy_weights(weights, MPSRNNMatrixIdSingleGateInputWeights, half, YES, noOffset);
    const float *numbers = source_numbers(make_single_gate(kInputs, kOutputs, 5), 0);
    for (NSUInteger i = 0; i < kInputs * kOutputs; i++) {
        CHECK(((const uint16_t *)half.data.contents)[i] == half_from_number(numbers[i]));
    }
}

/// One of the bias' rows is missing where a source has none: it is trained from zeros.
static void test_a_source_without_bias(void) {
    MPSRNNSingleGateDescriptor *descriptor = make_single_gate(kInputs, kOutputs, 6);
    TestWeights *source = source_of(descriptor, 0);
    [source->bias release];
    source->bias = nil;
    set_up(descriptor);
    CHECK(weights.count == 3);
    double zeros[kOutputs] = {0};
    CHECK(is_close(matrix_row(copy_out(layer, descriptor, weights, 2), 0), zeros, kOutputs, 0));
}

static void test_unit_transform(void) {
    MPSRNNSingleGateDescriptor *descriptor = make_single_gate(kOutputs, kOutputs, 7);
    descriptor.useLayerInputUnitTransformMode = YES;
    set_up(descriptor);
    CHECK(weights.count == 2); // W is the identity
    CHECK_RAISES(@"matrixId: 0,", copy_weights(weights, 0, make_matrix(kOutputs, kOutputs), YES, noOffset));
    copy_weights(weights, 2, make_matrix(1, kOutputs), YES, noOffset);
}

static void test_refused_copies(void) {
    set_up(make_lstm(kInputs, kOutputs, NO, 8));
    const MPSRNNMatrixId first = MPSRNNMatrixIdLSTMInputGateInputWeights;
    MPSMatrix *matrix = make_matrix(kOutputs, kInputs);
    CHECK_RAISES(@"matrixId: 0, expected", copy_weights(weights, 0, matrix, YES, noOffset));
    CHECK_RAISES(@"matrixId: 5, expected", // no peepholes
                 copy_weights(weights, MPSRNNMatrixIdLSTMInputGateMemoryWeights, matrix, YES, noOffset));
    CHECK_RAISES(@"matrixId: 29, expected", copy_weights(weights, MPSRNNMatrixId_count, matrix, YES, noOffset));
    CHECK_RAISES(@"matrix: nil", copy_weights(weights, first, nothing, YES, noOffset));
    CHECK_RAISES(@"matrixOffset: row 1, column 0", copy_weights(weights, first, matrix, YES, (MTLOrigin){1, 0, 0}));
    CHECK_RAISES(@"matrixOffset: row 0, column 1", copy_weights(weights, first, matrix, YES, (MTLOrigin){0, 1, 0}));
    CHECK_RAISES(@"matrixOffset: ", copy_weights(weights, first, matrix, YES, (MTLOrigin){0, 0, 1}));
    CHECK_RAISES(@"matrixOffset: ", copy_weights(weights, first, make_matrix(1, kOutputs), YES, noOffset));
    CHECK_RAISES(@"matrix[0]: data type 0x20000020",
                 copy_weights(weights, first, make_strided_matrix(kOutputs, kInputs, 4 * kInputs, MPSDataTypeInt32),
                              YES, noOffset));
    CHECK_RAISES(@"matrix[0]: shares memory with weights[0]",
                 copy_weights(weights, first, weights.firstObject, YES, noOffset));
    CHECK_RAISES(@"weights: 1 matrices, expected the 12", copy_weights(@[ matrix ], first, matrix, YES, noOffset));
}

int main(void) {
    void (*const tests[])(void) = {
        test_weights_in_and_out, test_half_matrices,  test_a_source_without_bias,
        test_unit_transform,     test_refused_copies,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
