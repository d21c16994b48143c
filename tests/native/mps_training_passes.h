// Forward and gradient passes of one training layer, and whether they are right.
#import "mps_training.h"

/// What one test run makes of a layer.
typedef struct Passes {
    MPSRNNMatrixTrainingLayer *layer;
    NSMutableArray<MPSMatrix *> *weights, *gradients;
    NSArray<MPSMatrix *> *x, *y, *dy, *dx;
    NSMutableArray<MPSRNNMatrixTrainingState *> *tapes;
    NSMutableArray<MPSRNNRecurrentMatrixState *> *states, *stateGradients;
    Problem problem;
} Passes;

static Passes p;

static inline void set_up(MPSRNNDescriptor *descriptor, MPSDataType gradientType) {
    memset(&p, 0, sizeof p);
    p.weights = [NSMutableArray array];
    p.layer = make_training(descriptor, p.weights);
    p.gradients = [NSMutableArray array];
    [p.layer createWeightGradientMatrices:p.gradients dataType:gradientType];
    p.x = make_steps(kInputs, 1);
    p.y = make_steps(kOutputs, 11);
    p.dy = make_steps(kOutputs, 21);
    p.dx = make_steps(kInputs, 31);
    p.tapes = [NSMutableArray array];
    p.states = [NSMutableArray array];
    p.stateGradients = [NSMutableArray array];
    make_problem(&p.problem, descriptor, p.x, p.dy);
    run_problem(&p.problem);
}

static inline void encode_forward(id<MTLCommandBuffer> commandBuffer, MPSRNNRecurrentMatrixState *state) {
    [p.layer encodeForwardSequenceToCommandBuffer:commandBuffer
                                   sourceMatrices:p.x
                                    sourceOffsets:NULL
                              destinationMatrices:p.y
                               destinationOffsets:NULL
                                   trainingStates:p.tapes
                              recurrentInputState:state
                            recurrentOutputStates:p.states
                                          weights:p.weights];
}

static inline void encode_gradient(id<MTLCommandBuffer> commandBuffer, NSRange steps,
                                   MPSRNNRecurrentMatrixState *state) {
    [p.layer encodeGradientSequenceToCommandBuffer:commandBuffer
                                    forwardSources:[p.x subarrayWithRange:steps]
                              forwardSourceOffsets:NULL
                                   sourceGradients:[p.dy subarrayWithRange:steps]
                             sourceGradientOffsets:NULL
                              destinationGradients:[p.dx subarrayWithRange:steps]
                                destinationOffsets:NULL
                                   weightGradients:p.gradients
                                    trainingStates:[p.tapes subarrayWithRange:steps]
                               recurrentInputState:state
                             recurrentOutputStates:p.stateGradients
                                           weights:p.weights];
}

static const NSRange allSteps = {0, kSteps};

static inline void run_passes(void) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    encode_forward(commandBuffer, nil);
    encode_gradient(commandBuffer, allSteps, nil);
    run(commandBuffer);
}

static inline bool y_is_right(double tolerance) {
    bool all = true;
    for (NSUInteger step = 0; step < kSteps; step++) {
        all &= is_close(matrix_row(matrix_at(p.y, step), 0), p.problem.y + step * kMaxRows * kOutputs,
                        stepRows[step] * kOutputs, tolerance);
    }
    return all;
}

static inline bool state_is(MPSMatrix *matrix, const double *wanted) {
    return is_close(matrix_numbers(matrix).bytes, wanted, matrix.rows * matrix.columns, 1e-5);
}

static inline void check_kind(MPSRNNDescriptor *descriptor, MPSDataType gradientType) {
    set_up(descriptor, gradientType);
    run_passes();
    bool isHalf = gradientType == MPSDataTypeFloat16;
    CHECK(p.tapes.count == kSteps);
    CHECK(y_is_right(1e-5));
    CHECK(steps_are_slopes(&p.problem, p.dx, p.problem.x, 1e-5));
    CHECK(are_slopes(&p.problem, p.layer, p.gradients, isHalf ? 4e-3 : 1e-5));
    CHECK(p.states.count == 1 && p.stateGradients.count == 1);
    run_problem(&p.problem);
    CHECK(state_is([p.states.lastObject getRecurrentOutputMatrixForLayerIndex:0], p.problem.h[kSteps - 1]));
    MPSMatrix *c = [p.states.lastObject getMemoryCellMatrixForLayerIndex:0];
    CHECK((c != nil) == [descriptor isKindOfClass:[MPSLSTMDescriptor class]]);
    CHECK(c == nil || state_is(c, p.problem.c[kSteps - 1]));
}
