// pymps_training_layer: an MPSRNNMatrixTrainingLayer, which holds no weights itself.
#import "training.h"
#include <stdlib.h>

#define ENTRY(name) .name = name,
const pymps_training_functions training_functions = {PMP_TRAINING_FUNCTIONS(ENTRY)};

#define ONE(name) +1
_Static_assert(sizeof(pymps_training_functions) == (0 PMP_TRAINING_FUNCTIONS(ONE)) * sizeof(void *),
               "a function is not in PMP_TRAINING_FUNCTIONS");

// ---- What a layer and its copies own together ----

void pmp_training_release(pmp_training *training) {
    if (!pmp_drop(&training->references))
        return;
    if (training->forward != NULL)
        pmp_stack_release(training->forward);
    if (training->gradients != NULL)
        pmp_stack_release(training->gradients);
    free(training);
}

// With one reference; NULL when memory runs out.
static pmp_training *make_training(const pymps_descriptor *descriptor, NSArray *weights) {
    pmp_training *training = calloc(1, sizeof *training);
    if (training == NULL)
        return NULL;
    atomic_init(&training->references, 1);
    pmp_stack_layer shape = pmp_descriptor_shape(descriptor);
    training->table = pmp_descriptor_weights_table(descriptor);
    training->data_type = weights.count == 0 ? pmp_descriptor_data_type(descriptor)
                                             : (pymps_data_type)((MPSMatrix *)[weights objectAtIndex:0]).dataType;
    training->forward = pmp_stack_make(&shape, 1, false);
    training->gradients = pmp_stack_make(&shape, 1, false);
    if (training->forward == NULL || training->gradients == NULL) {
        pmp_training_release(training);
        return NULL;
    }
    return training;
}

// ---- Making ----

// Takes over the reference to `training`, on failure too.
static pymps_status make_handle(const pmp_call *call, pymps_device *device, pmp_training *training,
                                MPSRNNMatrixTrainingLayer *object, pymps_training_layer **layer) {
    pymps_training_layer *handle = object == nil ? NULL : calloc(1, sizeof *handle);
    if (handle == NULL) {
        pmp_training_release(training);
        return object == nil ? pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the device can't make such a layer")
                             : pmp_out_of_memory(call);
    }
    pmp_retain(&device->references);
    handle->device = device;
    handle->training = training;
    handle->layer = [object retain];
    pthread_mutex_init(&handle->mutex, NULL);
    *layer = handle;
    return PYMPS_OK;
}

static pymps_status make_object(const pmp_call *call, pymps_device *device, pymps_descriptor *descriptor,
                                NSMutableArray *weights, MPSRNNMatrixTrainingLayer **object) {
    NSMutableArray *sources = [NSMutableArray array];
    pmp_call at_descriptor = pmp_at(call, "descriptor", PMP_NO_INDEX);
    MPSRNNDescriptor *made;
    PMP_TRY(pmp_descriptor_make(&at_descriptor, descriptor, device->device, false, sources, &made));
    PMP_TRY(pmp_with_sources(call, sources, ^{
        MPSRNNMatrixTrainingLayer *allocated = [MPSRNNMatrixTrainingLayer alloc];
        *object = [[allocated initWithDevice:device->device rnnDescriptor:made trainableWeights:weights] autorelease];
    }));
    pmp_layer_use_team(*object, device);
    return PYMPS_OK;
}

pymps_status training_layer_create(pymps_device *device, pymps_descriptor *descriptor, pymps_training_layer **layer,
                                   pymps_training_matrices **weights, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(device, call);
        PMP_CHECK_NOT_NULL(descriptor, call);
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK_NOT_NULL(weights, call);
        NSMutableArray *matrices = [NSMutableArray array];
        MPSRNNMatrixTrainingLayer *object = nil;
        PMP_TRY(make_object(call, device, descriptor, matrices, &object));
        pmp_training *training = make_training(descriptor, matrices);
        if (training == NULL)
            return pmp_out_of_memory(call);
        pymps_training_layer *handle;
        PMP_TRY(make_handle(call, device, training, object, &handle));
        pymps_status status = pmp_training_matrices_handle(call, training, matrices, false, nil, weights);
        if (status == PYMPS_OK)
            *layer = handle;
        else
            training_layer_release(handle);
        return status;
    });
}

void pmp_training_with_lock(pymps_training_layer *layer, void (^body)(void)) {
    pthread_mutex_lock(&layer->mutex);
    @try {
        body();
    } @finally {
        pthread_mutex_unlock(&layer->mutex);
    }
}

pymps_status training_layer_copy(pymps_training_layer *layer, pymps_training_layer **copy, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK_NOT_NULL(copy, call);
        __block MPSRNNMatrixTrainingLayer *object;
        pmp_training_with_lock(layer, ^{
            object = [layer->layer copyWithZone:NULL device:layer->device->device];
        });
        [object autorelease];
        pmp_retain(&layer->training->references);
        return make_handle(call, layer->device, layer->training, object, copy);
    });
}

void training_layer_release(pymps_training_layer *layer) {
    if (layer == NULL)
        return;
    pmp_perform(^{
        [layer->layer release];
    });
    pthread_mutex_destroy(&layer->mutex);
    pmp_training_release(layer->training);
    device_release(layer->device);
    free(layer);
}

// ---- What it says of itself ----

void training_layer_info(pymps_training_layer *layer, pymps_training_layer_info *info) {
    if (layer == NULL || info == NULL)
        return;
    const pmp_training *training = layer->training;
    *info = (pymps_training_layer_info){
        .input_feature_channels = training->forward->info.input_feature_channels,
        .output_feature_channels = training->forward->info.output_feature_channels,
        .has_memory_cell = training->table.has_memory_cell,
        .weights_data_type = training->data_type,
    };
}

bool training_layer_matrix_shape(pymps_training_layer *layer, pymps_matrix_id matrix_id, size_t *rows,
                                 size_t *columns) {
    bool is_known = layer != NULL && (size_t)matrix_id < PMP_MATRIX_ID_COUNT;
    if (!is_known || layer->training->table.weights[matrix_id].rows == 0)
        return false;
    if (rows != NULL)
        *rows = layer->training->table.weights[matrix_id].rows;
    if (columns != NULL)
        *columns = layer->training->table.weights[matrix_id].columns;
    return true;
}

// ---- States that the caller fills ----

static NSArray *zeros(id<MTLBuffer> buffer, size_t rows, size_t columns) {
    return @[ pmp_matrix_make(buffer, rows, columns, columns * sizeof(float), PYMPS_FLOAT32) ];
}

// MPS hands out states only as the results of steps. Waits for one with weights of zeros.
static pymps_status make_state(const pmp_call *call, pymps_training_layer *layer, bool is_gradient, size_t rows,
                               MPSRNNRecurrentMatrixState **state) {
    const pymps_layer_info *info = &layer->training->forward->info;
    size_t inputs = info->input_feature_channels, outputs = info->output_feature_channels;
    id<MTLBuffer> source, destination;
    PMP_TRY(pmp_float32_buffer(call, layer->device->device, rows, inputs, &source));
    PMP_TRY(pmp_float32_buffer(call, layer->device->device, rows, outputs, &destination));
    NSArray *x = zeros(source, rows, inputs), *y = zeros(destination, rows, outputs);
    NSArray *weights = pmp_training_weights_make(layer);
    NSMutableArray *tape = [NSMutableArray array], *states = [NSMutableArray array];
    id<MTLCommandBuffer> command_buffer;
    PMP_TRY(pmp_command_buffer_make(call, layer->device->queue, &command_buffer));
    pmp_training_with_lock(layer, ^{
        layer->layer.storeAllIntermediateStates = NO;
        layer->layer.recurrentOutputIsTemporary = NO;
        layer->layer.trainingStateIsTemporary = NO;
        [layer->layer encodeForwardSequenceToCommandBuffer:command_buffer
                                            sourceMatrices:x
                                             sourceOffsets:NULL
                                       destinationMatrices:y
                                        destinationOffsets:NULL
                                            trainingStates:tape
                                       recurrentInputState:nil
                                     recurrentOutputStates:is_gradient ? nil : states
                                                   weights:weights];
        if (is_gradient)
            [layer->layer encodeGradientSequenceToCommandBuffer:command_buffer
                                                 forwardSources:x
                                           forwardSourceOffsets:NULL
                                                sourceGradients:y
                                          sourceGradientOffsets:NULL
                                           destinationGradients:nil
                                             destinationOffsets:NULL
                                                weightGradients:nil
                                                 trainingStates:tape
                                            recurrentInputState:nil
                                          recurrentOutputStates:states
                                                        weights:weights];
    });
    PMP_TRY(pmp_finish_making(call, command_buffer));
    *state = [states objectAtIndex:0];
    return PYMPS_OK;
}

pymps_status training_state_create(pymps_training_layer *layer, bool is_gradient, size_t rows, const float *h,
                                   const float *c, pymps_state **state, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK(rows >= 1, call, "rows: 0, expected at least 1");
        PMP_CHECK_NOT_NULL(state, call);
        const pmp_training *training = layer->training;
        PMP_CHECK(c == NULL || training->table.has_memory_cell, call,
                  "c: given for a layer without a memory cell, expected NULL");
        PMP_TRY(pmp_rows_check(call, layer->device, training->forward, rows));
        MPSRNNRecurrentMatrixState *object;
        PMP_TRY(make_state(call, layer, is_gradient, rows, &object));
        pmp_stack *stack = is_gradient ? training->gradients : training->forward;
        PMP_TRY(pmp_state_write(call, layer->device, stack, object, &h, &c));
        pymps_state *handle = pmp_state_handle(stack, object, (pmp_extent){.rows = rows}, nil);
        if (handle == NULL)
            return pmp_out_of_memory(call);
        *state = handle;
        return PYMPS_OK;
    });
}
