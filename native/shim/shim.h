// What the shim's files share: the handles behind pymps.h, the border of a C entry, and the checks of arguments.
//
// The shim is compiled once per backend (-DPYMPS_BACKEND=metal, -DPYMPS_BACKEND=portable) and one library may hold
// both: so whatever crosses files carries the backend in its symbol, and each class in its runtime name.
#import <Foundation/Foundation.h>
#import <Metal/Metal.h>
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>
#include <pthread.h>
#include <stdatomic.h>
#include "pymps_image.h"
#include "pymps_training.h"

#define PMP_STRING_OF(token) #token
#define PMP_STRING(macro) PMP_STRING_OF(macro)
#define PMP_BACKEND_SYMBOL(name) __asm__(PMP_STRING(__USER_LABEL_PREFIX__) "pymps_" PMP_STRING(PYMPS_BACKEND) "_" #name)
#define PMP_BACKEND_CLASS(name) __attribute__((objc_runtime_name("pymps_" PMP_STRING(PYMPS_BACKEND) "_" #name)))

// ---- The table: its functions under their own names, with the types that pymps.h gives them ----

// clang-format off
#define PMP_FUNCTIONS(X)                                                                                               \
    X(device_count) X(device_open) X(device_release) X(device_info) X(device_current_allocated_size_bytes)             \
    X(buffer_create) X(buffer_wrap) X(buffer_release) X(buffer_contents) X(buffer_length_bytes)                        \
    X(buffer_storage_mode) X(buffer_did_modify)                                                                        \
    X(lstm_descriptor_create) X(gru_descriptor_create) X(single_gate_descriptor_create) X(descriptor_release)          \
    X(descriptor_set_weights) X(descriptor_set_data_source)                                                            \
    X(descriptor_set_use_layer_input_unit_transform_mode) X(descriptor_set_use_float32_weights)                        \
    X(descriptor_set_layer_sequence_direction)                                                                         \
    X(lstm_descriptor_set_memory_weights_are_diagonal) X(lstm_descriptor_set_cell_to_output_neuron)                    \
    X(gru_descriptor_set_gate_pnorm_value) X(gru_descriptor_set_flip_output_gates)                                     \
    X(layer_create) X(layer_copy) X(layer_release) X(layer_info) X(layer_output_feature_channels)                      \
    X(layer_archive) X(layer_unarchive)                                                                                \
    X(queue_create) X(queue_create_with_max_command_buffer_count) X(queue_release)                                     \
    X(command_buffer_create) X(command_buffer_release) X(command_buffer_enqueue) X(command_buffer_commit)              \
    X(command_buffer_wait_until_scheduled) X(command_buffer_wait) X(command_buffer_status) X(command_buffer_times)     \
    X(command_buffer_add_scheduled_handler) X(command_buffer_add_completed_handler)                                    \
    X(shared_event_create) X(shared_event_release) X(shared_event_signaled_value) X(shared_event_set_signaled_value)   \
    X(command_buffer_encode_signal_event) X(command_buffer_encode_wait_event)                                          \
    X(command_buffer_copy) X(command_buffer_fill) X(command_buffer_synchronize)                                        \
    X(layer_encode_sequence) X(layer_encode_bidirectional_sequence)                                                    \
    X(state_create) X(state_release) X(state_matrix) X(state_is_temporary) X(state_read_count)                         \
    X(state_set_read_count) X(matrix_read)                                                                             \
    X(stream_create) X(stream_release) X(stream_source) X(stream_destination) X(stream_step)                           \
    X(stream_set_state) X(stream_state)
// clang-format on

#define PMP_DECLARE(name) extern __typeof__(*((pymps_backend *)NULL)->name) name PMP_BACKEND_SYMBOL(name);
PMP_FUNCTIONS(PMP_DECLARE)

extern const pymps_backend backend PMP_BACKEND_SYMBOL(backend);
extern const pymps_image_functions image_functions PMP_BACKEND_SYMBOL(image_functions);
extern const pymps_training_functions training_functions PMP_BACKEND_SYMBOL(training_functions);

// ---- Handles: each says what it owns. `references` counts the owners of a handle that others hold on to. ----

/// What devices and layers that compute on the threads of a CPU have beyond Apple's.
@protocol PMPThreads <NSObject>
@optional
- (id)newTeamWithThreadCount:(NSUInteger)threadCount; // a device; 0: as many as suit it. nil: no thread left
@property (readonly) NSUInteger threadCount;          // a team
- (void)setTeam:(id)team;                             // a layer, before its first encode
@end

struct pymps_device { // owned by its opener, layers and queues
    atomic_size_t references;
    id<MTLDevice> device;
    id<MTLCommandQueue> queue; // of state_create and matrix_read
    id<PMPThreads> team;       // nil: the device computes on processors of its own
};

struct pymps_buffer { // owned by its creator alone; what is encoded retains the MTLBuffer
    id<MTLBuffer> buffer;
    void *contents;
    size_t length_bytes;
    pymps_storage_mode storage_mode;
    _Atomic(void *) matrix; // an MPSMatrix at its start that the last sequence used, with a reference, or nil
};

struct pymps_queue { // owned by its creator and its command buffers
    atomic_size_t references;
    id<MTLCommandQueue> queue;
    size_t max_command_buffer_count;
    atomic_size_t uncommitted_count;
};

struct pymps_command_buffer { // owned by its creator
    pymps_queue *queue;
    id<MTLCommandBuffer> command_buffer;
    bool is_enqueued;
    atomic_bool is_committed;
    struct pmp_handler *handlers; // until the commit; from then on each waits for its one call
};

struct pymps_shared_event { // owned by its creator; what is encoded retains the MTLSharedEvent
    id<MTLSharedEvent> event;
};

// The shape of a stack. A layer, its copies and their states own one together; its address tells whether a state fits
// a layer.
typedef struct pmp_stack_layer {
    size_t inputs, outputs;
    pymps_sequence_direction direction;
} pmp_stack_layer;

typedef struct pmp_stack {
    atomic_size_t references;
    atomic_bool shows_states; // whether a buffer with the memory of a state was ever handed out
    pymps_layer_info info;
    pmp_stack_layer layers[]; // info.number_of_layers
} pmp_stack;

/// What MPSRNNMatrixInferenceLayer and MPSRNNImageInferenceLayer have in common; MPS has no class for it.
@protocol PMPInferenceLayer <NSObject>
- (instancetype)initWithDevice:(id<MTLDevice>)device rnnDescriptors:(NSArray *)descriptors;
- (instancetype)copyWithZone:(NSZone *)zone device:(id<MTLDevice>)device;
@property (readonly) NSUInteger inputFeatureChannels, outputFeatureChannels, numberOfLayers;
@property BOOL recurrentOutputIsTemporary, storeAllIntermediateStates;
@property MPSRNNBidirectionalCombineMode bidirectionalCombineMode;
@end

struct pymps_layer { // owned by its creator
    pymps_device *device;
    pmp_stack *stack;
    id<PMPInferenceLayer> layer; // of the class that stack->info.takes_images says
    pthread_mutex_t mutex;       // an MPSKernel is for one thread at a time
};

/// The rows that a step has: those of a matrix, or the pixels of images, one behind the other.
typedef struct pmp_extent {
    size_t rows;
    size_t width, height; // of an image; 0: the rows are no pixels
} pmp_extent;

struct pymps_state { // owned by whoever it was handed to
    pmp_stack *stack;
    MPSState *state; // an MPSRNNRecurrentMatrixState or MPSRNNRecurrentImageState
    pmp_extent extent;
    id<MTLCommandBuffer> command_buffer; // that a temporary state lives on; else nil
};

static inline void pmp_retain(atomic_size_t *references) {
    atomic_fetch_add_explicit(references, 1, memory_order_relaxed);
}

/// Whether this was the last reference.
static inline bool pmp_drop(atomic_size_t *references) {
    return atomic_fetch_sub_explicit(references, 1, memory_order_acq_rel) == 1;
}

// ---- The border ----

/// A call from C: where its errors go, and what their text begins with.
typedef struct pmp_call {
    const char *function;
    pymps_error *error;
    const char *argument; // what the checked fields belong to, or NULL
    size_t index;         // its index, or PMP_NO_INDEX
} pmp_call;

#define PMP_NO_INDEX SIZE_MAX

static inline pmp_call pmp_at(const pmp_call *call, const char *argument, size_t index) {
    return (pmp_call){call->function, call->error, argument, index};
}

/// Runs the body of a C entry in an autorelease pool; an NSException becomes a status.
pymps_status pmp_enter(const char *function, pymps_error *error, pymps_status (^body)(const pmp_call *call))
    PMP_BACKEND_SYMBOL(pmp_enter);
/// pmp_enter for what has no status to return: releases and plain setters.
void pmp_perform(void (^body)(void)) PMP_BACKEND_SYMBOL(pmp_perform);
pymps_status pmp_fail(const pmp_call *call, pymps_status status, int64_t code, const char *format, ...)
    PMP_BACKEND_SYMBOL(pmp_fail) __attribute__((format(printf, 4, 5)));
pymps_status pmp_out_of_memory(const pmp_call *call) PMP_BACKEND_SYMBOL(pmp_out_of_memory);
static inline const char *pmp_utf8(NSString *text) {
    return text == nil ? "no reason given" : text.UTF8String;
}
/// Copies as much UTF-8 as fits, never half a character.
void pmp_copy_utf8(char *destination, size_t size_bytes, const char *source) PMP_BACKEND_SYMBOL(pmp_copy_utf8);

/// Leaves the function with PYMPS_ERROR_ARGUMENT unless `condition` holds.
#define PMP_CHECK(condition, call, ...)                                                                                \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            return pmp_fail(call, PYMPS_ERROR_ARGUMENT, 0, __VA_ARGS__);                                               \
    } while (0)
#define PMP_CHECK_NOT_NULL(pointer, call) PMP_CHECK((pointer) != NULL, call, #pointer ": NULL, expected a pointer")

/// Leaves the function with the status of `expression` unless that is PYMPS_OK.
#define PMP_TRY(expression)                                                                                            \
    do {                                                                                                               \
        pymps_status pmp_status = (expression);                                                                        \
        if (pmp_status != PYMPS_OK)                                                                                    \
            return pmp_status;                                                                                         \
    } while (0)

// ---- Across nouns ----

/// a * b, or SIZE_MAX where that is too large: longer than any buffer, so that the check of a length finds it.
static inline size_t pmp_product(size_t a, size_t b) {
    size_t product;
    return __builtin_mul_overflow(a, b, &product) ? SIZE_MAX : product;
}

static inline size_t pmp_element_bytes(pymps_data_type data_type) {
    return (data_type & 127) >> 3;
}

static inline bool pmp_is_float(pymps_data_type data_type) {
    return data_type == PYMPS_FLOAT32 || data_type == PYMPS_FLOAT16;
}

/// What a handle to a buffer says of it. Retains nothing.
pymps_buffer pmp_buffer_view(id<MTLBuffer> buffer) PMP_BACKEND_SYMBOL(pmp_buffer_view);
/// A handle to a buffer, which it retains; NULL when memory runs out.
pymps_buffer *pmp_buffer_handle(id<MTLBuffer> buffer) PMP_BACKEND_SYMBOL(pmp_buffer_handle);
/// A zero-filled shared buffer (autoreleased) for rows x columns float32; pmp_rows_check has passed.
pymps_status pmp_float32_buffer(const pmp_call *call, id<MTLDevice> device, size_t rows, size_t columns,
                                id<MTLBuffer> *buffer) PMP_BACKEND_SYMBOL(pmp_float32_buffer);

/// What a command buffer may offer beyond Metal.
@protocol PMPCommittedAgain
/// Commits it once more after its completion, with the commands that it has. Who does keeps alive what they use.
- (void)commitAgain;
@end

/// A shared buffer (autoreleased) for what a blit brings or takes.
pymps_status pmp_staging_make(const pmp_call *call, id<MTLDevice> device, size_t length_bytes, id<MTLBuffer> *staging)
    PMP_BACKEND_SYMBOL(pmp_staging_make);
/// Encodes the commands of `body`.
pymps_status pmp_blit(const pmp_call *call, id<MTLCommandBuffer> command_buffer,
                      void (^body)(id<MTLBlitCommandEncoder> encoder)) PMP_BACKEND_SYMBOL(pmp_blit);
pymps_status pmp_command_buffer_make(const pmp_call *call, id<MTLCommandQueue> queue, id<MTLCommandBuffer> *made)
    PMP_BACKEND_SYMBOL(pmp_command_buffer_make);
/// Checks that one can still encode into it what is of `device`; nil: of any.
pymps_status pmp_command_buffer_check(const pmp_call *call, const pymps_command_buffer *command_buffer,
                                      id<MTLDevice> device) PMP_BACKEND_SYMBOL(pmp_command_buffer_check);
/// PYMPS_ERROR_COMMAND_BUFFER where the device has failed to run it.
pymps_status pmp_command_buffer_error(const pmp_call *call, id<MTLCommandBuffer> command_buffer)
    PMP_BACKEND_SYMBOL(pmp_command_buffer_error);
/// Whether this thread is inside a handler that a wait for `command_buffer` would keep from ending.
bool pmp_handler_blocks(id<MTLCommandBuffer> command_buffer) PMP_BACKEND_SYMBOL(pmp_handler_blocks);
/// Ends handlers that will never be called.
void pmp_handlers_drop(struct pmp_handler *handlers) PMP_BACKEND_SYMBOL(pmp_handlers_drop);
/// Waits for a committed command buffer; commits it first in pmp_finish.
pymps_status pmp_wait(const pmp_call *call, id<MTLCommandBuffer> command_buffer) PMP_BACKEND_SYMBOL(pmp_wait);
pymps_status pmp_finish(const pmp_call *call, id<MTLCommandBuffer> command_buffer) PMP_BACKEND_SYMBOL(pmp_finish);
/// pmp_finish for a caller who asked for an object: memory that is lacking is PYMPS_ERROR_MEMORY.
pymps_status pmp_finish_making(const pmp_call *call, id<MTLCommandBuffer> command_buffer)
    PMP_BACKEND_SYMBOL(pmp_finish_making);

/// Checks a matrix by itself: its fields, and that it lies within a buffer of `device`.
pymps_status pmp_matrix_check(const pmp_call *call, const pymps_matrix *matrix, id<MTLDevice> device)
    PMP_BACKEND_SYMBOL(pmp_matrix_check);
static inline bool pmp_differs_by_offset(const pymps_matrix *a, const pymps_matrix *b) {
    return a->buffer == b->buffer && a->rows == b->rows && a->columns == b->columns && a->row_bytes == b->row_bytes &&
           a->data_type == b->data_type;
}
/// Whether `matrix` would pass, too: it differs by its offset alone from `before`, which has passed.
static inline bool pmp_matrix_continues(const pymps_matrix *matrix, const pymps_matrix *before) {
    size_t element_bytes = pmp_element_bytes(before->data_type); // a power of two
    size_t span_bytes = (before->rows - 1) * before->row_bytes + before->columns * element_bytes;
    return pmp_differs_by_offset(matrix, before) && (matrix->offset_bytes & (element_bytes - 1)) == 0 &&
           matrix->offset_bytes <= before->buffer->length_bytes - span_bytes;
}
/// Whether a matrix of `a` shares a byte with one of `b`, and which.
bool pmp_matrices_overlap(size_t count_a, const pymps_matrix *a, size_t count_b, const pymps_matrix *b, size_t *index_a,
                          size_t *index_b) PMP_BACKEND_SYMBOL(pmp_matrices_overlap);
/// Whether two of the matrices share a byte, and which.
bool pmp_matrices_repeat(size_t count, const pymps_matrix *matrices, size_t *first, size_t *second)
    PMP_BACKEND_SYMBOL(pmp_matrices_repeat);
/// An MPSMatrix (autoreleased) at the start of its buffer: offset_bytes is left to who encodes it.
MPSMatrix *pmp_matrix_make(id<MTLBuffer> buffer, size_t rows, size_t columns, size_t row_bytes,
                           pymps_data_type data_type) PMP_BACKEND_SYMBOL(pmp_matrix_make);
/// What an encodeSequence call takes for an array of matrices that have passed, both autoreleased: one MPSMatrix for
/// all consecutive steps that differ by their offset alone, and the offsets.
pymps_status pmp_matrix_array(const pmp_call *call, const pymps_matrix *matrices, size_t count, NSArray **array,
                              NSUInteger **offsets) PMP_BACKEND_SYMBOL(pmp_matrix_array);
/// An MPSMatrix (autoreleased) with its offset.
MPSMatrix *pmp_matrix_object(const pymps_matrix *matrix) PMP_BACKEND_SYMBOL(pmp_matrix_object);
/// Overwrites a float32 matrix of any storage mode with rows x columns numbers, zeros where `values` is NULL.
pymps_status pmp_matrix_write(const pmp_call *call, pymps_device *device, MPSMatrix *matrix, const float *values)
    PMP_BACKEND_SYMBOL(pmp_matrix_write);
