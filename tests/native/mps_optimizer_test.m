// The optimizers' formulas in double arithmetic, over vectors and matrices of all types.
#import "mps_optimizer.h"

enum { kUpdates = 5 };

/// A gradient as an optimizer uses it.
static double prepared(MPSNNOptimizer *optimizer, double gradient, double value) {
    if (optimizer.applyGradientClipping) {
        gradient = fmin(fmax(gradient, optimizer.gradientClipMin), optimizer.gradientClipMax);
    }
    gradient *= optimizer.gradientRescale;
    switch (optimizer.regularizationType) {
    case MPSNNRegularizationTypeL1:
        return gradient + optimizer.regularizationScale;
    case MPSNNRegularizationTypeL2:
        return gradient + optimizer.regularizationScale * value;
    default:
        return gradient;
    }
}

/// One value and its states; t counts from 1.
typedef void (*formula)(MPSNNOptimizer *optimizer, double gradient, double *value, double *states, NSUInteger t);

static void plain_sgd(MPSNNOptimizer *optimizer, double g, double *v, double *states, NSUInteger t) {
    (void)states, (void)t;
    *v -= optimizer.learningRate * g;
}

static void momentum_sgd(MPSNNOptimizer *optimizer, double g, double *v, double *m, NSUInteger t) {
    MPSNNOptimizerStochasticGradientDescent *sgd = (MPSNNOptimizerStochasticGradientDescent *)optimizer;
    (void)t;
    if (sgd.useNesterovMomentum) {
        m[0] = sgd.momentumScale * m[0] + g;
        *v -= sgd.learningRate * (g + sgd.momentumScale * m[0]);
    } else {
        m[0] = sgd.momentumScale * m[0] + sgd.learningRate * g;
        *v -= m[0];
    }
}

static void rms_prop(MPSNNOptimizer *optimizer, double g, double *v, double *s, NSUInteger t) {
    MPSNNOptimizerRMSProp *rms = (MPSNNOptimizerRMSProp *)optimizer;
    (void)t;
    s[0] = rms.decay * s[0] + (1 - rms.decay) * g * g;
    *v -= rms.learningRate * g / (sqrt(s[0]) + rms.epsilon);
}

static double adam_moments(MPSNNOptimizer *optimizer, double g, double *s, NSUInteger t) {
    MPSNNOptimizerAdam *adam = (MPSNNOptimizerAdam *)optimizer;
    s[0] = adam.beta1 * s[0] + (1 - adam.beta1) * g;
    s[1] = adam.beta2 * s[1] + (1 - adam.beta2) * g * g;
    return adam.learningRate * sqrt(1 - pow(adam.beta2, (double)t)) / (1 - pow(adam.beta1, (double)t));
}

static void plain_adam(MPSNNOptimizer *optimizer, double g, double *v, double *s, NSUInteger t) {
    double rate = adam_moments(optimizer, g, s, t);
    *v -= rate * s[0] / (sqrt(s[1]) + ((MPSNNOptimizerAdam *)optimizer).epsilon);
}

static void ams_grad(MPSNNOptimizer *optimizer, double g, double *v, double *s, NSUInteger t) {
    double rate = adam_moments(optimizer, g, s, t);
    s[2] = fmax(s[2], s[1]);
    *v -= rate * s[0] / (sqrt(s[2]) + ((MPSNNOptimizerAdam *)optimizer).epsilon);
}

typedef struct Rule {
    formula formula;
    encoder encode;
    NSUInteger states;
} Rule;

/// Updates some times, in place or not, against the formula. Where operands are float16, each step starts from what
/// they hold.
static void check_rule(Rule rule, MPSNNOptimizer *optimizer, MPSDataType dataType, bool areVectors, bool isInPlace) {
    Operands o = {.areVectors = areVectors};
    o.gradient = make_operand(dataType, 3, 1);
    o.values = make_operand(MPSDataTypeFloat32, 3, 2);
    o.result = isInPlace ? o.values : make_operand(MPSDataTypeFloat32, 3, 3);
    for (NSUInteger i = 0; i < rule.states; i++) {
        o.states[i] = make_operand(dataType, 3, 0);
    }
    const double tolerance = dataType == MPSDataTypeFloat16 ? 1e-3 : 2e-6;
    for (NSUInteger t = 1; t <= kUpdates; t++) {
        static double values[kCount], states[kCount][3];
        for (NSUInteger i = 0; i < kCount; i++) {
            set_number(o.gradient, i, test_number((unsigned)t, i));
            values[i] = number_at(o.values, i);
            for (NSUInteger k = 0; k < rule.states; k++) {
                states[i][k] = number_at(o.states[k], i);
            }
            double g = prepared(optimizer, number_at(o.gradient, i), values[i]);
            rule.formula(optimizer, g, &values[i], states[i], t);
        }
        id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
        rule.encode(commandBuffer, optimizer, &o);
        run(commandBuffer);
        bool all = true;
        for (NSUInteger i = 0; i < kCount; i++) {
            all &= fabs(number_at(o.result, i) - values[i]) <= 2e-6 * fmax(1, fabs(values[i]));
            for (NSUInteger k = 0; k < rule.states; k++) {
                all &= fabs(number_at(o.states[k], i) - states[i][k]) <= tolerance * fmax(1, fabs(states[i][k]));
            }
        }
        CHECK(all);
    }
}

static void check_types(Rule rule, MPSNNOptimizer * (^make)(void)) {
    for (int way = 0; way < 8; way++) {
        check_rule(rule, make(), (way & 1) != 0 ? MPSDataTypeFloat16 : MPSDataTypeFloat32, (way & 2) != 0,
                   (way & 4) != 0);
    }
}

static void test_sgd(void) {
    for (int kind = 0; kind < 3; kind++) {
        for (int nesterov = 0; nesterov < 2; nesterov++) {
            MPSNNOptimizer * (^make)(void) = ^{
                return (MPSNNOptimizer *)[[[MPSNNOptimizerStochasticGradientDescent alloc]
                         initWithDevice:device
                          momentumScale:0.5f
                    useNesterovMomentum:nesterov != 0
                    optimizerDescriptor:make_descriptor(kind)] autorelease];
            };
            check_types((Rule){momentum_sgd, encode_sgd, 1}, make);
            check_types((Rule){plain_sgd, encode_sgd, 0}, make);
        }
    }
}

static void test_rms_prop(void) {
    for (int kind = 0; kind < 3; kind++) {
        check_types((Rule){rms_prop, encode_rms, 1}, ^{
            return (MPSNNOptimizer *)[[[MPSNNOptimizerRMSProp alloc] initWithDevice:device
                                                                              decay:0.75
                                                                            epsilon:0.01f
                                                                optimizerDescriptor:make_descriptor(kind)] autorelease];
        });
    }
}

static void test_adam(void) {
    for (int kind = 0; kind < 3; kind++) {
        MPSNNOptimizer * (^make)(void) = ^{
            return (MPSNNOptimizer *)[[[MPSNNOptimizerAdam alloc] initWithDevice:device
                                                                           beta1:0.75
                                                                           beta2:0.9
                                                                         epsilon:0.01f
                                                                        timeStep:0
                                                             optimizerDescriptor:make_descriptor(kind)] autorelease];
        };
        check_types((Rule){plain_adam, encode_adam, 2}, make);
        check_types((Rule){ams_grad, encode_adam, 3}, make);
    }
}

int main(void) {
    void (*const tests[])(void) = {test_sgd, test_rms_prop, test_adam};
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
