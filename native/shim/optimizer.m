// pymps_optimizer: an MPSNNOptimizer and the moments of the weights that it updates.
#import "training.h"
#include <math.h>
#include <stdlib.h>

enum { most_moments = 3 };

/// Encodes the update of one matrix. Of the moments only as many are there as the kind has.
typedef void encode_update(pymps_optimizer *optimizer, id<MTLCommandBuffer> command_buffer, MPSMatrix *gradient,
                           MPSMatrix *values, MPSMatrix *const moments[most_moments]);

struct pymps_optimizer { // owned by its creator
    pymps_device *device;
    pmp_training *training; // whose weights it updates
    MPSNNOptimizer *object;
    encode_update *encode_update;
    NSArray *moments[most_moments]; // a matrix for each of the weights; nil: the kind does without
    size_t time_step;
    pthread_mutex_t mutex; // an MPSKernel is for one thread at a time
};

// ---- The kinds ----

static void update_by_sgd(pymps_optimizer *optimizer, id<MTLCommandBuffer> command_buffer, MPSMatrix *gradient,
                          MPSMatrix *values, MPSMatrix *const moments[most_moments]) {
    [(MPSNNOptimizerStochasticGradientDescent *)optimizer->object encodeToCommandBuffer:command_buffer
                                                                    inputGradientMatrix:gradient
                                                                      inputValuesMatrix:values
                                                                    inputMomentumMatrix:moments[0]
                                                                     resultValuesMatrix:values];
}

static void update_by_rms_prop(pymps_optimizer *optimizer, id<MTLCommandBuffer> command_buffer, MPSMatrix *gradient,
                               MPSMatrix *values, MPSMatrix *const moments[most_moments]) {
    [(MPSNNOptimizerRMSProp *)optimizer->object encodeToCommandBuffer:command_buffer
                                                  inputGradientMatrix:gradient
                                                    inputValuesMatrix:values
                                              inputSumOfSquaresMatrix:moments[0]
                                                   resultValuesMatrix:values];
}

// MPS counts the matrices: the step of each is that of them all.
static void update_by_adam(pymps_optimizer *optimizer, id<MTLCommandBuffer> command_buffer, MPSMatrix *gradient,
                           MPSMatrix *values, MPSMatrix *const moments[most_moments]) {
    MPSNNOptimizerAdam *adam = (MPSNNOptimizerAdam *)optimizer->object;
    adam.timeStep = optimizer->time_step;
    [adam encodeToCommandBuffer:command_buffer
            inputGradientMatrix:gradient
              inputValuesMatrix:values
            inputMomentumMatrix:moments[0]
            inputVelocityMatrix:moments[1]
          maximumVelocityMatrix:moments[2]
             resultValuesMatrix:values];
}

// ---- Making ----

static pymps_status check_options(const pmp_call *call, const pymps_optimizer_options *options) {
    PMP_CHECK_NOT_NULL(options, call);
    pmp_call at_options = pmp_at(call, "options", PMP_NO_INDEX);
    PMP_CHECK(isfinite(options->learning_rate), &at_options, "learning_rate: %g, expected a finite number",
              (double)options->learning_rate);
    PMP_CHECK(isfinite(options->gradient_rescale), &at_options, "gradient_rescale: %g, expected a finite number",
              (double)options->gradient_rescale);
    PMP_CHECK(!options->apply_gradient_clipping || options->gradient_clip_min <= options->gradient_clip_max,
              &at_options, "gradient_clip_min, gradient_clip_max: %g, %g, expected a range",
              (double)options->gradient_clip_min, (double)options->gradient_clip_max);
    int type = (int)options->regularization_type;
    PMP_CHECK(type >= PYMPS_REGULARIZATION_NONE && type <= PYMPS_REGULARIZATION_L2, &at_options,
              "regularization_type: %d, expected 0 (none), 1 (L1) or 2 (L2)", type);
    PMP_CHECK(isfinite(options->regularization_scale), &at_options,
              "regularization_scale: %g, expected a finite number", (double)options->regularization_scale);
    return PYMPS_OK;
}

static MPSNNOptimizerDescriptor *make_descriptor(const pymps_optimizer_options *options) {
    MPSNNRegularizationType type = (MPSNNRegularizationType)options->regularization_type;
    return [MPSNNOptimizerDescriptor optimizerDescriptorWithLearningRate:options->learning_rate
                                                         gradientRescale:options->gradient_rescale
                                                   applyGradientClipping:options->apply_gradient_clipping
                                                         gradientClipMax:options->gradient_clip_max
                                                         gradientClipMin:options->gradient_clip_min
                                                      regularizationType:type
                                                     regularizationScale:options->regularization_scale];
}

// Has the device make their memory. False where it has no more.
static bool make_memory(NSArray *matrices) {
    for (MPSMatrix *matrix in matrices)
        if (matrix.data == nil)
            return false;
    return true;
}

// A handle to an optimizer, of which it takes over the reference.
static pymps_status make_handle(const pmp_call *call, pymps_training_layer *layer, MPSNNOptimizer *object,
                                encode_update *encode_update, size_t moment_count, pymps_optimizer **optimizer) {
    [object autorelease];
    if (object == nil)
        return pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the device can't make such an optimizer");
    NSArray *moments[most_moments] = {nil};
    for (size_t index = 0; index < moment_count; index++) {
        moments[index] = pmp_training_gradients_make(layer, PYMPS_FLOAT32);
        if (!make_memory(moments[index]))
            return pmp_fail(call, PYMPS_ERROR_MEMORY, 0, "moments of the weights, more than the device has left");
    }
    pymps_optimizer *handle = calloc(1, sizeof *handle);
    if (handle == NULL)
        return pmp_out_of_memory(call);
    pmp_retain(&layer->device->references);
    pmp_retain(&layer->training->references);
    handle->device = layer->device;
    handle->training = layer->training;
    handle->object = [object retain];
    handle->encode_update = encode_update;
    for (size_t index = 0; index < moment_count; index++)
        handle->moments[index] = [moments[index] retain];
    pthread_mutex_init(&handle->mutex, NULL);
    *optimizer = handle;
    return PYMPS_OK;
}

pymps_status sgd_optimizer_create(pymps_training_layer *layer, const pymps_optimizer_options *options,
                                  float momentum_scale, bool use_nesterov_momentum, pymps_optimizer **optimizer,
                                  pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_TRY(check_options(call, options));
        PMP_CHECK(isfinite(momentum_scale), call, "momentum_scale: %g, expected a finite number",
                  (double)momentum_scale);
        PMP_CHECK_NOT_NULL(optimizer, call);
        MPSNNOptimizer *object =
            [[MPSNNOptimizerStochasticGradientDescent alloc] initWithDevice:layer->device->device
                                                              momentumScale:momentum_scale
                                                        useNesterovMomentum:use_nesterov_momentum
                                                        optimizerDescriptor:make_descriptor(options)];
        return make_handle(call, layer, object, update_by_sgd, momentum_scale == 0 ? 0 : 1, optimizer);
    });
}

pymps_status rms_prop_optimizer_create(pymps_training_layer *layer, const pymps_optimizer_options *options,
                                       double decay, float epsilon, pymps_optimizer **optimizer, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_TRY(check_options(call, options));
        PMP_CHECK(decay >= 0 && decay <= 1, call, "decay: %g, expected 0 to 1", decay);
        PMP_CHECK(epsilon >= 0 && isfinite(epsilon), call, "epsilon: %g, expected a finite number of at least 0",
                  (double)epsilon);
        PMP_CHECK_NOT_NULL(optimizer, call);
        MPSNNOptimizer *object = [[MPSNNOptimizerRMSProp alloc] initWithDevice:layer->device->device
                                                                         decay:decay
                                                                       epsilon:epsilon
                                                           optimizerDescriptor:make_descriptor(options)];
        return make_handle(call, layer, object, update_by_rms_prop, 1, optimizer);
    });
}

pymps_status adam_optimizer_create(pymps_training_layer *layer, const pymps_optimizer_options *options, double beta1,
                                   double beta2, float epsilon, bool use_ams_grad, pymps_optimizer **optimizer,
                                   pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_TRY(check_options(call, options));
        PMP_CHECK(beta1 >= 0 && beta1 < 1, call, "beta1: %g, expected at least 0 and less than 1", beta1);
        PMP_CHECK(beta2 >= 0 && beta2 < 1, call, "beta2: %g, expected at least 0 and less than 1", beta2);
        PMP_CHECK(epsilon >= 0 && isfinite(epsilon), call, "epsilon: %g, expected a finite number of at least 0",
                  (double)epsilon);
        PMP_CHECK_NOT_NULL(optimizer, call);
        MPSNNOptimizer *object = [[MPSNNOptimizerAdam alloc] initWithDevice:layer->device->device
                                                                      beta1:beta1
                                                                      beta2:beta2
                                                                    epsilon:epsilon
                                                                   timeStep:0
                                                        optimizerDescriptor:make_descriptor(options)];
        return make_handle(call, layer, object, update_by_adam, use_ams_grad ? 3 : 2, optimizer);
    });
}

void optimizer_release(pymps_optimizer *optimizer) {
    if (optimizer == NULL)
        return;
    pmp_perform(^{
        for (size_t index = 0; index < most_moments; index++)
            [optimizer->moments[index] release];
        [optimizer->object release];
    });
    pthread_mutex_destroy(&optimizer->mutex);
    pmp_training_release(optimizer->training);
    device_release(optimizer->device);
    free(optimizer);
}

// ---- Its values ----

static void with_lock(pymps_optimizer *optimizer, void (^body)(void)) {
    pthread_mutex_lock(&optimizer->mutex);
    @try {
        body();
    } @finally {
        pthread_mutex_unlock(&optimizer->mutex);
    }
}

float optimizer_learning_rate(pymps_optimizer *optimizer) {
    __block float learning_rate = 0;
    if (optimizer != NULL)
        pmp_perform(^{
            with_lock(optimizer, ^{
                learning_rate = optimizer->object.learningRate;
            });
        });
    return learning_rate;
}

pymps_status optimizer_set_learning_rate(pymps_optimizer *optimizer, float learning_rate, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(optimizer, call);
        PMP_CHECK(isfinite(learning_rate), call, "learning_rate: %g, expected a finite number", (double)learning_rate);
        with_lock(optimizer, ^{
            [optimizer->object setLearningRate:learning_rate];
        });
        return PYMPS_OK;
    });
}

size_t optimizer_time_step(pymps_optimizer *optimizer) {
    __block size_t time_step = 0;
    if (optimizer != NULL)
        with_lock(optimizer, ^{
            time_step = optimizer->time_step;
        });
    return time_step;
}

void optimizer_set_time_step(pymps_optimizer *optimizer, size_t time_step) {
    if (optimizer != NULL)
        with_lock(optimizer, ^{
            optimizer->time_step = time_step;
        });
}

// ---- A step ----

static void encode_step(pymps_optimizer *optimizer, id<MTLCommandBuffer> command_buffer, NSArray *gradients,
                        NSArray *weights) {
    for (NSUInteger index = 0; index < weights.count; index++) {
        MPSMatrix *moments[most_moments] = {nil};
        for (size_t which = 0; which < most_moments; which++)
            moments[which] = [optimizer->moments[which] objectAtIndex:index];
        optimizer->encode_update(optimizer, command_buffer, [gradients objectAtIndex:index],
                                 [weights objectAtIndex:index], moments);
    }
    optimizer->time_step++;
}

pymps_status optimizer_encode(pymps_optimizer *optimizer, pymps_command_buffer *command_buffer,
                              pymps_training_matrices *gradients, pymps_training_matrices *weights,
                              pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(optimizer, call);
        PMP_CHECK_NOT_NULL(command_buffer, call);
        PMP_TRY(pmp_command_buffer_check(call, command_buffer, optimizer->device->device));
        id<MTLCommandBuffer> object = command_buffer->command_buffer;
        PMP_TRY(pmp_training_matrices_check(call, "gradients", gradients, optimizer->training, true, object));
        PMP_TRY(pmp_training_matrices_check(call, "weights", weights, optimizer->training, false, object));
        with_lock(optimizer, ^{
            encode_step(optimizer, object, gradients->matrices, weights->matrices);
        });
        return PYMPS_OK;
    });
}
