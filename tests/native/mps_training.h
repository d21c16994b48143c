// Training layers for tests, their passes in double arithmetic, and derivatives by differences.
#import "mps_gru.h"
#include "neuron_formula.h"

enum { kInputs = 3, kOutputs = 4, kSteps = 4, kMaxRows = 3 };

/// Rows never grow.
static const NSUInteger stepRows[kSteps] = {3, 3, 2, 1};

enum { kXNumbers = kSteps * kMaxRows * kInputs, kYNumbers = kSteps * kMaxRows * kOutputs };

/// Everything that a loss depends on; step t begins at t * kMaxRows rows.
typedef struct Problem {
    MPSRNNDescriptor *descriptor;
    double x[kXNumbers], dy[kYNumbers]; // the loss is the sum of dy * y
    double h0[kMaxRows * kOutputs], c0[kMaxRows * kOutputs];
    double weights[MPSRNNMatrixId_count][kOutputs * kOutputs]; // zeros where there are none
    pymps_engine_neuron neurons[5];                            // of the gates; last, that of an LSTM's cell
    double y[kYNumbers];
    double h[kSteps][kMaxRows * kOutputs], c[kSteps][kMaxRows * kOutputs]; // the states
} Problem;

static inline bool is_bias(MPSRNNMatrixId weight) {
    return weight == 2 || weight == 6 || weight == 10 || weight == 14 || weight == 18 || weight == 21 || weight == 24 ||
           weight == 28;
}

static inline bool is_input(MPSRNNMatrixId weight) {
    return weight == 0 || weight == 3 || weight == 7 || weight == 11 || weight == 15 || weight == 19 || weight == 22 ||
           weight == 25;
}

static inline bool is_peephole(MPSRNNMatrixId weight) {
    return weight == 5 || weight == 9 || weight == 13 || weight == 17;
}

static inline NSUInteger weight_columns(MPSRNNMatrixId weight) {
    return is_input(weight) ? kInputs : kOutputs;
}

static inline bool is_diagonal(MPSRNNDescriptor *descriptor) {
    return [descriptor isKindOfClass:[MPSLSTMDescriptor class]] &&
           ((MPSLSTMDescriptor *)descriptor).memoryWeightsAreDiagonal;
}

static inline NSUInteger weight_rows(MPSRNNDescriptor *descriptor, MPSRNNMatrixId weight) {
    return is_bias(weight) || (is_peephole(weight) && is_diagonal(descriptor)) ? 1 : kOutputs;
}

/// The ids of a kind of layer.
static inline NSRange ids_of(MPSRNNDescriptor *descriptor) {
    if ([descriptor isKindOfClass:[MPSRNNSingleGateDescriptor class]]) {
        return NSMakeRange(0, 3);
    }
    return [descriptor isKindOfClass:[MPSLSTMDescriptor class]] ? NSMakeRange(3, 16) : NSMakeRange(19, 10);
}

/// The sources behind the weights, by id.
static NSString *const weightNames[] = {
    @"inputWeights",
    @"recurrentWeights",
    @"inputWeights",
    @"inputGateInputWeights",
    @"inputGateRecurrentWeights",
    @"inputGateMemoryWeights",
    @"inputGateInputWeights",
    @"forgetGateInputWeights",
    @"forgetGateRecurrentWeights",
    @"forgetGateMemoryWeights",
    @"forgetGateInputWeights",
    @"cellGateInputWeights",
    @"cellGateRecurrentWeights",
    @"cellGateMemoryWeights",
    @"cellGateInputWeights",
    @"outputGateInputWeights",
    @"outputGateRecurrentWeights",
    @"outputGateMemoryWeights",
    @"outputGateInputWeights",
    @"inputGateInputWeights",
    @"inputGateRecurrentWeights",
    @"inputGateInputWeights",
    @"recurrentGateInputWeights",
    @"recurrentGateRecurrentWeights",
    @"recurrentGateInputWeights",
    @"outputGateInputWeights",
    @"outputGateRecurrentWeights",
    @"outputGateInputGateWeights",
    @"outputGateInputWeights",
};

/// nil where there is none.
static inline TestWeights *source_of(MPSRNNDescriptor *descriptor, MPSRNNMatrixId weight) {
    return [descriptor valueForKey:weightNames[weight]];
}

static inline const float *source_numbers(MPSRNNDescriptor *descriptor, MPSRNNMatrixId weight) {
    TestWeights *source = source_of(descriptor, weight);
    return is_bias(weight) ? source->bias.bytes : source->values.bytes;
}

/// Row `output` of a weight times a vector; a bias is added by itself.
static inline double product(const Problem *p, MPSRNNMatrixId weight, NSUInteger output, const double *vector) {
    const double *w = p->weights[weight];
    if (is_bias(weight)) {
        return w[output];
    }
    if (is_peephole(weight) && is_diagonal(p->descriptor)) {
        return w[output] * vector[output];
    }
    double sum = 0;
    for (NSUInteger i = 0; i < weight_columns(weight); i++) {
        sum += w[output * weight_columns(weight) + i] * vector[i];
    }
    return sum;
}

static inline double activate(const Problem *p, int neuron, double sum, NSUInteger output) {
    return neuron_formula(p->neurons[neuron], sum, output);
}

static inline void lstm_row(const Problem *p, const double *x, double *h, double *c) {
    double h1[kOutputs], c1[kOutputs], gates[3];
    for (NSUInteger o = 0; o < kOutputs; o++) {
        for (int gate = 0; gate < 3; gate++) {
            MPSRNNMatrixId first = 3 + 4 * (MPSRNNMatrixId)gate;
            double sum = product(p, first, o, x) + product(p, first + 1, o, h) + product(p, first + 2, o, c) +
                         product(p, first + 3, o, NULL);
            gates[gate] = activate(p, gate, sum, o);
        }
        c1[o] = gates[1] * c[o] + gates[0] * gates[2];
    }
    for (NSUInteger o = 0; o < kOutputs; o++) {
        double sum = product(p, 15, o, x) + product(p, 16, o, h) + product(p, 17, o, c1) + product(p, 18, o, NULL);
        h1[o] = activate(p, 3, sum, o) * activate(p, 4, c1[o], o);
    }
    memcpy(h, h1, sizeof h1);
    memcpy(c, c1, sizeof c1);
}

static inline void gru_row(const Problem *p, const double *x, double *h) {
    double z[kOutputs], r_h[kOutputs], z_h[kOutputs];
    for (NSUInteger o = 0; o < kOutputs; o++) {
        z[o] = activate(p, 0, product(p, 19, o, x) + product(p, 20, o, h) + product(p, 21, o, NULL), o);
        r_h[o] = h[o] * activate(p, 1, product(p, 22, o, x) + product(p, 23, o, h) + product(p, 24, o, NULL), o);
        z_h[o] = h[o] * z[o];
    }
    const MPSGRUDescriptor *gru = (const MPSGRUDescriptor *)p->descriptor;
    double exponent = gru.gatePnormValue;
    for (NSUInteger o = 0; o < kOutputs; o++) {
        double sum = product(p, 25, o, x) + product(p, 26, o, r_h) + product(p, 27, o, z_h) + product(p, 28, o, NULL);
        double fresh = activate(p, 2, sum, o), rest = pow(1 - pow(z[o], exponent), 1 / exponent);
        h[o] = gru.flipOutputGates ? rest * h[o] + z[o] * fresh : rest * fresh + z[o] * h[o];
    }
}

static inline void single_gate_row(const Problem *p, const double *x, double *h) {
    double h1[kOutputs];
    for (NSUInteger o = 0; o < kOutputs; o++) {
        h1[o] = activate(p, 0, product(p, 0, o, x) + product(p, 1, o, h) + product(p, 2, o, NULL), o);
    }
    memcpy(h, h1, sizeof h1);
}

/// Fills y, h and c; the loss.
static inline double run_problem(Problem *p) {
    double h[kMaxRows * kOutputs], c[kMaxRows * kOutputs], loss = 0;
    memcpy(h, p->h0, sizeof h);
    memcpy(c, p->c0, sizeof c);
    for (NSUInteger step = 0; step < kSteps; step++) {
        for (NSUInteger row = 0; row < stepRows[step]; row++) {
            NSUInteger place = (step * kMaxRows + row) * kOutputs;
            const double *x = p->x + (step * kMaxRows + row) * kInputs;
            switch (ids_of(p->descriptor).location) {
            case 0:
                single_gate_row(p, x, h + row * kOutputs);
                break;
            case 3:
                lstm_row(p, x, h + row * kOutputs, c + row * kOutputs);
                break;
            default:
                gru_row(p, x, h + row * kOutputs);
            }
            for (NSUInteger o = 0; o < kOutputs; o++) {
                p->y[place + o] = h[row * kOutputs + o];
                loss += p->dy[place + o] * p->y[place + o];
            }
        }
        memcpy(p->h[step], h, sizeof h);
        memcpy(p->c[step], c, sizeof c);
    }
    return loss;
}

/// The derivative of the loss by one of the problem's numbers.
static inline double slope(Problem *p, double *number) {
    const double step = 1e-5, value = *number;
    *number = value + step;
    double above = run_problem(p);
    *number = value - step;
    double below = run_problem(p);
    *number = value;
    return (above - below) / (2 * step);
}

/// A matrix for each step, of numbers in [-0.5, 0.5).
static inline NSArray<MPSMatrix *> *make_steps(NSUInteger columns, unsigned seed) {
    NSMutableArray<MPSMatrix *> *matrices = [NSMutableArray array];
    for (NSUInteger step = 0; step < kSteps; step++) {
        [matrices addObject:make_matrix(stepRows[step], columns)];
        fill_matrix(matrices.lastObject, seed + (unsigned)step);
    }
    return matrices;
}

static inline void read_steps(NSArray<MPSMatrix *> *matrices, double *numbers) {
    for (NSUInteger step = 0; step < matrices.count; step++) {
        MPSMatrix *matrix = matrix_at(matrices, step);
        for (NSUInteger i = 0; i < matrix.rows * matrix.columns; i++) {
            numbers[step * kMaxRows * matrix.columns + i] = matrix_row(matrix, 0)[i];
        }
    }
}

static inline double number_from_half(uint16_t half) {
    int exponent = half >> 10 & 31;
    double magnitude = ldexp((half & 1023) + (exponent > 0 ? 1024 : 0), (exponent > 0 ? exponent : 1) - 25);
    return half >> 15 != 0 ? -magnitude : magnitude;
}

/// To nearest, ties to even; of numbers that are small enough.
static inline uint16_t half_from_number(double number) {
    int exponent = number == 0 ? -14 : MAX(ilogb(number), -14);
    unsigned units = (unsigned)rint(ldexp(fabs(number), 10 - exponent)); // 2048: the next exponent
    return (uint16_t)((number < 0 ? 0x8000u : 0) + (unsigned)(exponent + 14) * 1024 + units);
}

/// Rounded to float16 where the weights are.
static inline double weight_number(MPSRNNDescriptor *descriptor, float number) {
    return descriptor.useFloat32Weights ? number : number_from_half(half_from_number(number));
}

/// The activation that a gate's input weights bring along; none without them.
static inline pymps_engine_neuron neuron_of(TestWeights *source) {
    MPSNNNeuronDescriptor *neuron = source != nil ? source->descriptor.fusedNeuronDescriptor : nil;
    return (pymps_engine_neuron){neuron.neuronType, neuron.a, neuron.b, neuron.c, neuron.data.bytes};
}

static inline void make_problem(Problem *p, MPSRNNDescriptor *descriptor, NSArray<MPSMatrix *> *x,
                                NSArray<MPSMatrix *> *dy) {
    memset(p, 0, sizeof *p);
    p->descriptor = descriptor;
    read_steps(x, p->x);
    read_steps(dy, p->dy);
    int gates = 0;
    NSRange ids = ids_of(descriptor);
    for (MPSRNNMatrixId weight = ids.location; weight < NSMaxRange(ids); weight++) {
        for (NSUInteger i = 0;
             source_of(descriptor, weight) != nil && i < weight_rows(descriptor, weight) * weight_columns(weight);
             i++) {
            p->weights[weight][i] = weight_number(descriptor, source_numbers(descriptor, weight)[i]);
        }
        if (is_input(weight)) {
            p->neurons[gates++] = neuron_of(source_of(descriptor, weight));
        }
    }
    if (gates == 4) {
        MPSLSTMDescriptor *lstm = (MPSLSTMDescriptor *)descriptor;
        p->neurons[4] = (pymps_engine_neuron){lstm.cellToOutputNeuronType, lstm.cellToOutputNeuronParamA,
                                              lstm.cellToOutputNeuronParamB, lstm.cellToOutputNeuronParamC, NULL};
    }
}

static inline MPSRNNMatrixTrainingLayer *make_training(MPSRNNDescriptor *descriptor, NSMutableArray *weights) {
    return [[[MPSRNNMatrixTrainingLayer alloc] initWithDevice:device rnnDescriptor:descriptor
                                             trainableWeights:weights] autorelease];
}

/// One of an array of weights, or of gradients, as float32.
static inline MPSMatrix *copy_out(MPSRNNMatrixTrainingLayer *layer, MPSRNNDescriptor *descriptor,
                                  NSArray<MPSMatrix *> *weights, MPSRNNMatrixId weight) {
    MPSMatrix *matrix = make_matrix(weight_rows(descriptor, weight), weight_columns(weight));
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [layer encodeCopyWeightsToCommandBuffer:commandBuffer
                                    weights:weights
                                   matrixId:weight
                                     matrix:matrix
                    copyFromWeightsToMatrix:YES
                               matrixOffset:(MTLOrigin){0, 0, 0}];
    run(commandBuffer);
    return matrix;
}

/// Whether weight gradients are the slopes of the loss.
static inline bool are_slopes(Problem *p, MPSRNNMatrixTrainingLayer *layer, NSArray<MPSMatrix *> *gradients,
                              double tolerance) {
    NSRange ids = ids_of(p->descriptor);
    bool all = true;
    for (MPSRNNMatrixId weight = ids.location; weight < NSMaxRange(ids); weight++) {
        if (source_of(p->descriptor, weight) == nil) {
            continue;
        }
        NSUInteger count = weight_rows(p->descriptor, weight) * weight_columns(weight);
        double wanted[kOutputs * kOutputs];
        for (NSUInteger i = 0; i < count; i++) {
            wanted[i] = slope(p, &p->weights[weight][i]);
        }
        all &= is_close(matrix_row(copy_out(layer, p->descriptor, gradients, weight), 0), wanted, count, tolerance);
    }
    return all;
}

/// Whether matrices hold the slopes of the loss by numbers that are laid out as a problem's.
static inline bool steps_are_slopes(Problem *p, NSArray<MPSMatrix *> *matrices, double *numbers, double tolerance) {
    bool all = true;
    for (NSUInteger step = 0; step < matrices.count; step++) {
        MPSMatrix *matrix = matrix_at(matrices, step);
        for (NSUInteger i = 0; i < matrix.rows * matrix.columns; i++) {
            double wanted = slope(p, &numbers[step * kMaxRows * matrix.columns + i]);
            all &= is_close(matrix_row(matrix, 0) + i, &wanted, 1, tolerance);
        }
    }
    return all;
}
