#import "PMPScratchSequence.h"
#import "PMPSize.h"

static size_t row_bytes(size_t columns) {
    return PMPSizeAligned(PMPSizeMultiply(columns, sizeof(float)));
}

static size_t header_bytes(size_t steps) {
    return PMPSizeAligned(PMPSizeMultiply(steps, sizeof(pymps_engine_matrix)));
}

size_t PMPScratchSequenceBytes(size_t steps, size_t rows, size_t columns) {
    return PMPSizeAdd(header_bytes(steps), PMPSizeMultiply(PMPSizeMultiply(steps, rows), row_bytes(columns)));
}

pymps_engine_matrix *PMPScratchSequenceMake(void *memory, const pymps_engine_matrix *like, size_t steps,
                                            size_t columns) {
    pymps_engine_matrix *matrices = memory;
    char *data = (char *)memory + header_bytes(steps);
    for (size_t step = 0; step < steps; step++) {
        matrices[step] = (pymps_engine_matrix){
            .data = data, .rows = like[step].rows, .row_bytes = row_bytes(columns), .type = PYMPS_ENGINE_FLOAT32};
        data += like[step].rows * row_bytes(columns);
    }
    return matrices;
}
