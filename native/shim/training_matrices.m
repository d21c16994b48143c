// pymps_training_matrices: the weights of a training layer, or gradients of them, as one unit whose order and layout
// are MPS's own.
#import "training.h"
#include <stdlib.h>

pymps_status pmp_training_matrices_handle(const pmp_call *call, pmp_training *training, NSArray *matrices,
                                          bool are_gradients, id<MTLCommandBuffer> command_buffer,
                                          pymps_training_matrices **handle) {
    pymps_training_matrices *made = calloc(1, sizeof *made);
    if (made == NULL)
        return pmp_out_of_memory(call);
    pmp_retain(&training->references);
    made->training = training;
    made->matrices = [matrices retain];
    made->are_gradients = are_gradients;
    made->data_type =
        matrices.count == 0 ? training->data_type : (pymps_data_type)((MPSMatrix *)[matrices objectAtIndex:0]).dataType;
    made->command_buffer = [command_buffer retain];
    *handle = made;
    return PYMPS_OK;
}

NSArray *pmp_training_weights_make(pymps_training_layer *layer) {
    NSMutableArray *matrices = [NSMutableArray array];
    pmp_training_with_lock(layer, ^{
        [layer->layer createWeightMatrices:matrices];
    });
    return matrices;
}

NSArray *pmp_training_gradients_make(pymps_training_layer *layer, pymps_data_type data_type) {
    NSMutableArray *matrices = [NSMutableArray array];
    pmp_training_with_lock(layer, ^{
        [layer->layer createWeightGradientMatrices:matrices dataType:(MPSDataType)data_type];
    });
    return matrices;
}

pymps_status training_weights_create(pymps_training_layer *layer, pymps_training_matrices **weights,
                                     pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK_NOT_NULL(weights, call);
        return pmp_training_matrices_handle(call, layer->training, pmp_training_weights_make(layer), false, nil,
                                            weights);
    });
}

pymps_status training_gradients_create(pymps_training_layer *layer, pymps_data_type data_type,
                                       pymps_command_buffer *command_buffer, pymps_training_matrices **gradients,
                                       pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK_NOT_NULL(gradients, call);
        PMP_CHECK(pmp_is_float(data_type), call, "data_type: 0x%x, expected 0x%x (float32) or 0x%x (float16)",
                  (unsigned)data_type, PYMPS_FLOAT32, PYMPS_FLOAT16);
        if (command_buffer == NULL)
            return pmp_training_matrices_handle(call, layer->training, pmp_training_gradients_make(layer, data_type),
                                                true, nil, gradients);
        PMP_TRY(pmp_command_buffer_check(call, command_buffer, layer->device->device));
        id<MTLCommandBuffer> object = command_buffer->command_buffer;
        NSMutableArray *matrices = [NSMutableArray array];
        pmp_training_with_lock(layer, ^{
            [layer->layer createTemporaryWeightGradientMatrices:matrices
                                                       dataType:(MPSDataType)data_type
                                                  commandBuffer:object];
        });
        return pmp_training_matrices_handle(call, layer->training, matrices, true, object, gradients);
    });
}

void training_matrices_release(pymps_training_matrices *matrices) {
    if (matrices == NULL)
        return;
    pmp_perform(^{
        if (matrices->command_buffer != nil)
            for (MPSTemporaryMatrix *matrix in matrices->matrices)
                if (matrix.readCount > 0)
                    matrix.readCount = 0; // MPS wants no reads left when a temporary object goes
        [matrices->matrices release];
        [matrices->command_buffer release];
    });
    pmp_training_release(matrices->training);
    free(matrices);
}

pymps_data_type training_matrices_data_type(pymps_training_matrices *matrices) {
    return matrices == NULL ? (pymps_data_type)0 : matrices->data_type;
}

bool training_matrices_is_temporary(pymps_training_matrices *matrices) {
    return matrices != NULL && matrices->command_buffer != nil;
}

pymps_status pmp_training_matrices_check(const pmp_call *call, const char *name,
                                         const pymps_training_matrices *matrices, const pmp_training *training,
                                         bool are_gradients, id<MTLCommandBuffer> command_buffer) {
    PMP_CHECK(matrices != NULL, call, "%s: NULL, expected a pointer", name);
    PMP_CHECK(matrices->training == training, call, "%s: of another layer, expected those of this layer or of a copy",
              name);
    PMP_CHECK(matrices->are_gradients == are_gradients, call, "%s: %s, expected %s", name,
              are_gradients ? "weights" : "gradients", are_gradients ? "gradients" : "weights");
    if (matrices->command_buffer == nil)
        return PYMPS_OK;
    PMP_CHECK(matrices->command_buffer == command_buffer, call,
              "%s: temporary, expected to be used on the command buffer that made them", name);
    for (MPSTemporaryMatrix *matrix in matrices->matrices)
        PMP_CHECK(matrix.readCount > 0, call, "%s: temporary and read already, expected to be read once", name);
    return PYMPS_OK;
}

// ---- In and out ----

static pymps_status check_copy(const pmp_call *call, const pymps_training_layer *layer,
                               const pymps_training_matrices *matrices, pymps_matrix_id matrix_id,
                               const pymps_matrix *matrix, size_t first_row, size_t first_column) {
    const pmp_training *training = layer->training;
    PMP_CHECK(matrices->command_buffer == nil, call, "matrices: temporary, expected ones that last");
    PMP_TRY(pmp_training_matrices_check(call, "matrices", matrices, training, matrices->are_gradients, nil));
    bool is_known = (size_t)matrix_id < PMP_MATRIX_ID_COUNT && training->table.weights[matrix_id].rows > 0;
    PMP_CHECK(is_known, call, "matrix_id: %d, expected that of weights which the layer's descriptor has",
              (int)matrix_id);
    pmp_call at_matrix = pmp_at(call, "matrix", PMP_NO_INDEX);
    PMP_TRY(pmp_matrix_check(&at_matrix, matrix, layer->device->device));
    PMP_CHECK(matrix->data_type == matrices->data_type, &at_matrix, "data_type: 0x%x, expected 0x%x",
              (unsigned)matrix->data_type, (unsigned)matrices->data_type);
    size_t rows = training->table.weights[matrix_id].rows, columns = training->table.weights[matrix_id].columns;
    PMP_CHECK(first_row <= matrix->rows && rows <= matrix->rows - first_row, &at_matrix,
              "rows: %zu, expected %zu from row %zu on", matrix->rows, rows, first_row);
    PMP_CHECK(first_column <= matrix->columns && columns <= matrix->columns - first_column, &at_matrix,
              "columns: %zu, expected %zu from column %zu on", matrix->columns, columns, first_column);
    return PYMPS_OK;
}

pymps_status training_layer_encode_copy(pymps_training_layer *layer, pymps_command_buffer *command_buffer,
                                        pymps_training_matrices *matrices, pymps_matrix_id matrix_id,
                                        const pymps_matrix *matrix, size_t first_row, size_t first_column,
                                        bool from_matrix, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK_NOT_NULL(command_buffer, call);
        PMP_CHECK_NOT_NULL(matrices, call);
        PMP_CHECK_NOT_NULL(matrix, call);
        PMP_TRY(pmp_command_buffer_check(call, command_buffer, layer->device->device));
        PMP_TRY(check_copy(call, layer, matrices, matrix_id, matrix, first_row, first_column));
        MPSMatrix *object = pmp_matrix_object(matrix);
        pmp_training_with_lock(layer, ^{
            [layer->layer encodeCopyWeightsToCommandBuffer:command_buffer->command_buffer
                                                   weights:matrices->matrices
                                                  matrixId:(MPSRNNMatrixId)matrix_id
                                                    matrix:object
                                   copyFromWeightsToMatrix:!from_matrix
                                              matrixOffset:MTLOriginMake(first_row, first_column, 0)];
        });
        return PYMPS_OK;
    });
}
