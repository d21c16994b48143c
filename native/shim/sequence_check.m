// What is asked of the matrices of a sequence.
#import "layers.h"

// Each by itself, with `columns` (described by `whose`) and the data type of `first`.
static pymps_status check_matrix(const pmp_call *call, const pymps_device *device, const pymps_matrix *matrix,
                                 size_t columns, const char *whose, const pymps_matrix *first) {
    PMP_TRY(pmp_matrix_check(call, matrix, device->device));
    PMP_CHECK(matrix->columns == columns, call, "columns: %zu, expected %zu, %s", matrix->columns, columns, whose);
    PMP_CHECK(matrix->data_type == first->data_type, call, "data_type: 0x%x, expected 0x%x, as in sources[0]",
              (unsigned)matrix->data_type, (unsigned)first->data_type);
    return PYMPS_OK;
}

pymps_status pmp_sources_check(const pmp_call *call, const pymps_device *device, const pmp_stack *stack,
                               const pymps_command_buffer *command_buffer, size_t steps, const pymps_matrix *sources) {
    PMP_TRY(pmp_command_buffer_check(call, command_buffer, device->device));
    PMP_CHECK(steps >= 1, call, "steps: 0, expected at least 1");
    for (size_t step = 0; step < steps; step++) {
        if (step > 0 && pmp_matrix_continues(&sources[step], &sources[step - 1]))
            continue;
        pmp_call at_source = pmp_at(call, "sources", step);
        PMP_TRY(check_matrix(&at_source, device, &sources[step], stack->info.input_feature_channels,
                             "the layer's input channels", &sources[0]));
        PMP_CHECK(step == 0 || sources[step].rows <= sources[step - 1].rows, &at_source,
                  "rows: %zu, expected at most %zu, those of the step before", sources[step].rows,
                  sources[step - 1].rows);
    }
    pmp_call at_source = pmp_at(call, "sources", 0);
    return pmp_rows_check(&at_source, device, stack, sources[0].rows);
}

pymps_status pmp_matrices_check(const pmp_call *call, const pymps_device *device, size_t steps,
                                const pymps_matrix *sources, const pmp_matrices *matrices) {
    for (size_t step = 0; step < steps; step++) {
        const pymps_matrix *matrix = &matrices->matrices[step];
        if (step > 0 && pmp_matrix_continues(matrix, matrix - 1) && matrix->rows == sources[step].rows)
            continue;
        pmp_call at_matrix = pmp_at(call, matrices->name, step);
        PMP_TRY(check_matrix(&at_matrix, device, matrix, matrices->columns, matrices->whose_columns, &sources[0]));
        PMP_CHECK(matrix->rows == sources[step].rows, &at_matrix, "rows: %zu, expected %zu, those of the source",
                  matrix->rows, sources[step].rows);
    }
    return PYMPS_OK;
}

pymps_status pmp_apart_check(const pmp_call *call, size_t steps, const pymps_matrix *a, const char *name_a,
                             const pymps_matrix *b, const char *name_b) {
    size_t index_a, index_b;
    PMP_CHECK(!pmp_matrices_overlap(steps, a, steps, b, &index_a, &index_b), call,
              "%s[%zu]: shares memory with %s[%zu], expected memory of its own", name_b, index_b, name_a, index_a);
    return PYMPS_OK;
}
