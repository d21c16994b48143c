// What the files share that deal with weights, descriptors, layers, states and streams.
#import "shim.h"

// ---- Weights ----

typedef enum pmp_weights_kind {
    PMP_WEIGHTS_NONE,
    PMP_WEIGHTS_INPUT,     // out x in
    PMP_WEIGHTS_RECURRENT, // out x out
    PMP_WEIGHTS_MEMORY,    // out x out or, as a diagonal, out x 1
} pmp_weights_kind;

/// What a property of a descriptor wants.
typedef struct pmp_weights_shape {
    int matrix_id;
    pmp_weights_kind kind;
    size_t inputs, outputs;
    bool takes_kernels; // of any size; else 1 x 1 alone. Where a layer is made of the descriptor, that says so.
} pmp_weights_shape;

static inline size_t pmp_kernel_width(const pymps_weights *weights) {
    return weights->kernel_width == 0 ? 1 : weights->kernel_width;
}

static inline size_t pmp_kernel_height(const pymps_weights *weights) {
    return weights->kernel_height == 0 ? 1 : weights->kernel_height;
}

/// Of one output channel. No overflow once pmp_weights_check has passed.
static inline size_t pmp_kernel_count(const pymps_weights *weights) {
    return pmp_kernel_width(weights) * pmp_kernel_height(weights) * weights->input_feature_channels;
}

pymps_status pmp_neuron_check(const pmp_call *call, const pymps_neuron *neuron, size_t output_feature_channels)
    PMP_BACKEND_SYMBOL(pmp_neuron_check);
pymps_status pmp_weights_check(const pmp_call *call, const pmp_weights_shape *shape, const pymps_weights *weights)
    PMP_BACKEND_SYMBOL(pmp_weights_check);
/// Checks weights against the rest of a layer: its kind, and the descriptor's memory_weights_are_diagonal.
pymps_status pmp_weights_check_layer(const pmp_call *call, const pmp_weights_shape *shape, const pymps_weights *weights,
                                     bool is_diagonal) PMP_BACKEND_SYMBOL(pmp_weights_check_layer);
/// A data source over a copy of `weights`, with one reference to its context.
pymps_status pmp_weights_copy(const pmp_call *call, const pymps_weights *weights, pymps_data_source *copy)
    PMP_BACKEND_SYMBOL(pmp_weights_copy);
/// The weights of such a data source; NULL for any other.
const pymps_weights *pmp_copied_weights(const pymps_data_source *source) PMP_BACKEND_SYMBOL(pmp_copied_weights);

/// An MPSCNNConvolutionDataSource. May be loaded and purged from any thread, nested too.
PMP_BACKEND_CLASS(PMPDataSource)
@interface PMPDataSource : NSObject <MPSCNNConvolutionDataSource> {
    pymps_data_source _source; // with a reference to its context
    pmp_weights_shape _shape;
    BOOL _isDiagonal;
    char _place[64];
    pthread_mutex_t _mutex;
    NSUInteger _loadCount;  // loads that wait for their purge
    pymps_weights _weights; // the source's, while _loadCount > 0
    NSData *_matrix;        // around a diagonal; nil: the weights are as MPS wants them
    NSData *_ranges;
    NSString *_label;
    MPSCNNConvolutionDescriptor *_descriptor;
    pymps_error _error;
}

/// `place` says in errors whose weights these are.
- (instancetype)initWithSource:(const pymps_data_source *)source
                         shape:(pmp_weights_shape)shape
                    isDiagonal:(BOOL)isDiagonal
                         place:(const char *)place;
/// Why the last load failed; status PYMPS_OK where it did not.
- (const pymps_error *)error;

@end

// ---- Descriptors, layers and states ----

/// An MPSRNNDescriptor (autoreleased) with the descriptor's present values, after checking that they fit each other and
/// the kind of layer. Its PMPDataSources are added to `sources`.
pymps_status pmp_descriptor_make(const pmp_call *call, const pymps_descriptor *descriptor, id<MTLDevice> device,
                                 bool takes_images, NSMutableArray *sources, MPSRNNDescriptor **made)
    PMP_BACKEND_SYMBOL(pmp_descriptor_make);
/// Runs `body`, in which MPS loads data sources. Where one of them fails, it says why, whatever MPS makes of that.
pymps_status pmp_with_sources(const pmp_call *call, NSArray *sources, void (^body)(void))
    PMP_BACKEND_SYMBOL(pmp_with_sources);
pmp_stack_layer pmp_descriptor_shape(const pymps_descriptor *descriptor) PMP_BACKEND_SYMBOL(pmp_descriptor_shape);

#define PMP_MATRIX_ID_COUNT (PYMPS_GRU_OUTPUT_GATE_BIAS_TERMS + 1)

typedef struct pmp_matrix_shape {
    size_t rows, columns; // 0: there is none
} pmp_matrix_shape;

/// The weights that a layer of a descriptor can train, by MPSRNNMatrixId.
typedef struct pmp_weights_table {
    pmp_matrix_shape weights[PMP_MATRIX_ID_COUNT];
    bool has_memory_cell;
} pmp_weights_table;

pmp_weights_table pmp_descriptor_weights_table(const pymps_descriptor *descriptor)
    PMP_BACKEND_SYMBOL(pmp_descriptor_weights_table);
/// That of the weights in a layer.
pymps_data_type pmp_descriptor_data_type(const pymps_descriptor *descriptor)
    PMP_BACKEND_SYMBOL(pmp_descriptor_data_type);

/// Checks that layers fit each other: that they can run one above the other, in one way at least.
pymps_status pmp_stack_check(const pmp_call *call, const pmp_stack_layer *layers, size_t count)
    PMP_BACKEND_SYMBOL(pmp_stack_check);
/// The shape of layers that have passed, with one reference; NULL when memory runs out.
pmp_stack *pmp_stack_make(const pmp_stack_layer *layers, size_t count, bool takes_images)
    PMP_BACKEND_SYMBOL(pmp_stack_make);
/// Checks that a layer or a state, as `argument` calls it, is of the kind that an entry takes.
pymps_status pmp_stack_check_kind(const pmp_call *call, const char *argument, const pmp_stack *stack, bool takes_images)
    PMP_BACKEND_SYMBOL(pmp_stack_check_kind);
pymps_status pmp_stack_check_runs_sequence(const pmp_call *call, const pmp_stack *stack)
    PMP_BACKEND_SYMBOL(pmp_stack_check_runs_sequence);
pymps_status pmp_stack_check_runs_bidirectional(const pmp_call *call, const pmp_stack *stack)
    PMP_BACKEND_SYMBOL(pmp_stack_check_runs_bidirectional);
void pmp_stack_release(pmp_stack *stack) PMP_BACKEND_SYMBOL(pmp_stack_release);

/// MPSRNNMatrixInferenceLayer or MPSRNNImageInferenceLayer.
Class pmp_layer_class(bool takes_images) PMP_BACKEND_SYMBOL(pmp_layer_class);
/// The bodies of layer_create and image_layer_create, of layer_unarchive and image_layer_unarchive.
pymps_status pmp_layer_create(const pmp_call *call, pymps_device *device, pymps_descriptor *const *descriptors,
                              size_t count, bool takes_images, pymps_layer **layer)
    PMP_BACKEND_SYMBOL(pmp_layer_create);
pymps_status pmp_layer_unarchive(const pmp_call *call, pymps_device *device, const void *data, size_t length,
                                 bool takes_images, pymps_layer **layer) PMP_BACKEND_SYMBOL(pmp_layer_unarchive);
/// A handle to an MPS layer, which it retains. Takes over the reference to `stack`, on failure too.
pymps_status pmp_layer_handle(const pmp_call *call, pymps_device *device, pmp_stack *stack,
                              id<PMPInferenceLayer> object, pymps_layer **layer) PMP_BACKEND_SYMBOL(pmp_layer_handle);
/// Lets a layer that has just been made use the device's threads.
void pmp_layer_use_team(id object, const pymps_device *device) PMP_BACKEND_SYMBOL(pmp_layer_use_team);
/// Runs `body` while no other thread uses the MPS layer.
void pmp_layer_with_lock(pymps_layer *layer, void (^body)(void)) PMP_BACKEND_SYMBOL(pmp_layer_with_lock);
/// A copy (autoreleased) of the MPS layer, for another thread; nil where the device can't make one.
id<PMPInferenceLayer> pmp_layer_copy_object(pymps_layer *layer) PMP_BACKEND_SYMBOL(pmp_layer_copy_object);
/// Checks that all that MPS makes for so many rows fits buffers.
pymps_status pmp_rows_check(const pmp_call *call, const pymps_device *device, const pmp_stack *stack, size_t rows)
    PMP_BACKEND_SYMBOL(pmp_rows_check);

/// An array of matrices, one per step, and how messages call it and its columns.
typedef struct pmp_matrices {
    const pymps_matrix *matrices;
    const char *name;
    size_t columns;
    const char *whose_columns;
} pmp_matrices;

/// Checks the sources of a sequence, and that it can be encoded into the command buffer.
pymps_status pmp_sources_check(const pmp_call *call, const pymps_device *device, const pmp_stack *stack,
                               const pymps_command_buffer *command_buffer, size_t steps, const pymps_matrix *sources)
    PMP_BACKEND_SYMBOL(pmp_sources_check);
/// Checks matrices that have the rows and the data type of the sources.
pymps_status pmp_matrices_check(const pmp_call *call, const pymps_device *device, size_t steps,
                                const pymps_matrix *sources, const pmp_matrices *matrices)
    PMP_BACKEND_SYMBOL(pmp_matrices_check);
/// Checks that no matrix of `b` shares memory with one of `a`.
pymps_status pmp_apart_check(const pmp_call *call, size_t steps, const pymps_matrix *a, const char *name_a,
                             const pymps_matrix *b, const char *name_b) PMP_BACKEND_SYMBOL(pmp_apart_check);

/// What one encodeSequence call takes, matrices or images. NULL offsets: zeros; nil states: none wanted.
typedef struct pmp_sequence {
    NSArray *sources, *destinations;
    NSUInteger *source_offsets, *destination_offsets; // of matrices
    MPSState *state;
    NSMutableArray *states;
    bool store_all_intermediate_states, output_is_temporary;
} pmp_sequence;

/// Encodes a sequence with a layer that no other thread uses, and whose switches are set.
void pmp_encode(id<PMPInferenceLayer> layer, bool takes_images, id<MTLCommandBuffer> command_buffer,
                const pmp_sequence *sequence) PMP_BACKEND_SYMBOL(pmp_encode);
void pmp_layer_encode(pymps_layer *layer, id<MTLCommandBuffer> command_buffer, const pmp_sequence *sequence)
    PMP_BACKEND_SYMBOL(pmp_layer_encode);

/// Which states a sequence hands out.
typedef struct pmp_wanted_states {
    size_t count;
    bool are_temporary;
    pymps_state **handles;
} pmp_wanted_states;

/// Encodes the checked sources and destinations of `sequence` from `state` on, and hands out the states.
pymps_status pmp_sequence_encode(const pmp_call *call, pymps_layer *layer, pymps_command_buffer *command_buffer,
                                 pmp_sequence *sequence, pmp_extent extent, const pymps_state *state,
                                 const pmp_wanted_states *wanted) PMP_BACKEND_SYMBOL(pmp_sequence_encode);
/// Writes new handles to `wanted`, or NULLs.
pymps_status pmp_states_hand_out(const pmp_call *call, pmp_stack *stack, NSArray *made, pmp_extent extent,
                                 const pmp_wanted_states *wanted, id<MTLCommandBuffer> command_buffer)
    PMP_BACKEND_SYMBOL(pmp_states_hand_out);
pymps_status pmp_wanted_states_check(const pmp_call *call, const pmp_wanted_states *wanted, size_t steps)
    PMP_BACKEND_SYMBOL(pmp_wanted_states_check);
/// `channels` becomes that of the forward destinations.
pymps_status pmp_combine_mode_check(const pmp_call *call, const pymps_layer_info *info, pymps_combine_mode combine_mode,
                                    bool has_backward, size_t *channels) PMP_BACKEND_SYMBOL(pmp_combine_mode_check);

/// One step of float32. Where sources and destinations do not lie in the buffers, which then are dense, these are what
/// is to be copied in before and out after it.
typedef struct pmp_step {
    id<MTLBuffer> source, destination;
    NSArray *sources, *destinations; // a matrix or an image each
    bool is_copied;
} pmp_step;

/// Its objects are autoreleased; the extent has been checked.
pymps_status pmp_step_make(const pmp_call *call, const pymps_layer *layer, pmp_extent extent, pmp_step *step)
    PMP_BACKEND_SYMBOL(pmp_step_make);

/// A handle to a state, which it retains; NULL when memory runs out. `command_buffer`: of a temporary state, else nil.
pymps_state *pmp_state_handle(pmp_stack *stack, MPSState *state, pmp_extent extent, id<MTLCommandBuffer> command_buffer)
    PMP_BACKEND_SYMBOL(pmp_state_handle);
/// The state (autoreleased) after a step of this extent. Waits for the step.
pymps_status pmp_state_make(const pmp_call *call, pymps_layer *layer, pmp_extent extent, MPSState **state)
    PMP_BACKEND_SYMBOL(pmp_state_make);
/// The output channels of one layer, as a state that the layer has made tells.
size_t pmp_state_outputs(const pmp_stack *stack, MPSState *state, size_t layer_index)
    PMP_BACKEND_SYMBOL(pmp_state_outputs);
/// Checks that `state` can start work of this extent on `command_buffer`; nil: on any.
pymps_status pmp_state_check(const pmp_call *call, const pymps_state *state, const pmp_stack *stack, pmp_extent extent,
                             id<MTLCommandBuffer> command_buffer) PMP_BACKEND_SYMBOL(pmp_state_check);
/// Checks what is asked of a state, and that the CPU can have it.
pymps_status pmp_state_check_access(const pmp_call *call, const pymps_state *state, bool takes_images,
                                    size_t layer_index, pymps_state_matrix which)
    PMP_BACKEND_SYMBOL(pmp_state_check_access);
pymps_status pmp_state_check_overlap(const pmp_call *call, const pymps_state *state, size_t count,
                                     const pymps_matrix *results, const char *name)
    PMP_BACKEND_SYMBOL(pmp_state_check_overlap);
/// Overwrites a state of matrices: h[l] and c[l] of each layer, as state_create takes them.
pymps_status pmp_state_write(const pmp_call *call, pymps_device *device, const pmp_stack *stack,
                             MPSRNNRecurrentMatrixState *state, const float *const *h, const float *const *c)
    PMP_BACKEND_SYMBOL(pmp_state_write);
/// The body of stream_create and image_stream_create.
pymps_status pmp_stream_create(const pmp_call *call, pymps_layer *layer, pmp_extent extent, pymps_stream **stream)
    PMP_BACKEND_SYMBOL(pmp_stream_create);
