/* pymps.h: Apple's recurrent layers (Metal Performance Shaders) as a flat C interface.
 *
 * The library holds one `pymps_backend` for each set of frameworks it was compiled against: "metal" (Apple's) and
 * "portable" (pymps's own, on the CPU). A backend is a table of functions over opaque handles. Layers of matrices are
 * here; what layers of images, which convolve, have beside it is in pymps_image.h, and training in pymps_training.h.
 *
 * Rules that hold for every function, unless its comment says otherwise:
 * - Ownership: `*_create`, `*_open` and `*_copy` hand the caller one reference, which the matching `*_release` ends
 *   (NULL is allowed there). A handle keeps alive what it needs: a layer its device, a stream its layer, and so on; so
 *   handles may be released in any order.
 * - Failure: a function that can fail returns a status. Where it is not PYMPS_OK and `error` is not NULL, `*error` says
 *   why, and outputs are left as they were. No argument whatever aborts the process; handles are trusted, though: a
 *   released or foreign pointer is not detected. NULL for a handle or an output is an argument error; a function
 *   without a status then does nothing, or returns 0.
 * - Threads: different handles may be used from different threads at once. One handle may be used from several
 *   threads only where its comment says so. Release may come from any thread.
 * - Blocking: nothing waits for the device but command_buffer_wait, command_buffer_wait_until_scheduled, stream_create,
 *   stream_step, state_create, matrix_read and layer_unarchive, and command_buffer_create where the queue is full.
 * - Pointers and structs passed in are read during the call only.
 * - Callbacks may be called on any thread, and must return: nothing may be thrown or jumped through them.
 */
#ifndef PYMPS_H
#define PYMPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Status and errors ------------------------------------------------------------------------------------------ */

typedef enum pymps_status {
    PYMPS_OK = 0,
    PYMPS_ERROR_ARGUMENT = 1,       /* an argument is out of range or does not fit the others */
    PYMPS_ERROR_DEVICE = 2,         /* no such device, or it can't do what was asked */
    PYMPS_ERROR_MEMORY = 3,         /* out of memory, the device's or the process's */
    PYMPS_ERROR_COMMAND_BUFFER = 4, /* the device failed to run a command buffer: `code` is Metal's */
    PYMPS_ERROR_EXCEPTION = 5,      /* the frameworks raised an exception that the checks here did not foresee */
} pymps_status;

typedef struct pymps_error {
    pymps_status status;
    int64_t code;   /* MTLCommandBufferError, else 0 */
    char text[512]; /* UTF-8: "[function] argument: what came, what was expected" */
} pymps_error;

/* ---- Values ----------------------------------------------------------------------------------------------------- */

/* MPSDataType's values. */
typedef enum pymps_data_type {
    PYMPS_FLOAT32 = 0x10000020,
    PYMPS_FLOAT16 = 0x10000010,
    PYMPS_UINT8 = 8, /* of weights alone */
} pymps_data_type;

/* An activation: MPSCNNNeuronType's values, and its parameters. */
typedef struct pymps_neuron {
    int32_t type;
    float a, b, c;
    const float *channel_a; /* PReLU: one value per output channel; NULL for every other type */
    size_t channel_count;   /* how many values stand at channel_a */
} pymps_neuron;

/* What an MPSCNNConvolutionDataSource hands out: weights[output][kernel_height][kernel_width][input], without padding.
 * Memory weights of one input channel are a diagonal. uint8 weights come with exactly one of two ways to read a byte u:
 * `ranges`, w = u / 255 * (max - min) + min, or `lookup_table`, w = lookup_table[u]. In the portable backend input and
 * recurrent weights with ranges stay bytes, also in archives, and are multiplied by activations rounded to 2^-16 of the
 * largest in their row; others become floats. */
typedef struct pymps_weights {
    const void *data;
    pymps_data_type data_type;
    size_t output_feature_channels, input_feature_channels;
    const float *bias; /* output_feature_channels numbers, or NULL: none */
    pymps_neuron neuron;
    const char *label;                  /* UTF-8, or NULL */
    const float (*ranges)[2];           /* {min, max} of each output channel, or NULL */
    const float *lookup_table;          /* 256 numbers, or NULL */
    size_t kernel_width, kernel_height; /* 0 stands for 1, which is all that a layer of matrices takes */
} pymps_weights;

/* Weights that are fetched when a layer is made of them. `retain` and `release` count references to `context`; both
 * are NULL where nothing owns it. `load` describes the weights; what `weights` then points to stays valid until
 * `purge`, which follows each successful load once. Where load fails, the layer's creation fails with its error. */
typedef struct pymps_data_source {
    void *context;
    void (*retain)(void *context);
    void (*release)(void *context);
    pymps_status (*load)(void *context, pymps_weights *weights, pymps_error *error);
    void (*purge)(void *context);
} pymps_data_source;

/* Which weights are meant: MPSRNNMatrixId's values (Apple calls the cell gate "memory gate" there, and peepholes
 * "memory weights"). A gate's bias and neuron are those of its input weights; MPS ignores them on other weights. Bias
 * terms by themselves are nothing to a descriptor: pymps_training.h has them. */
typedef enum pymps_matrix_id {
    PYMPS_SINGLE_GATE_INPUT_WEIGHTS = 0,
    PYMPS_SINGLE_GATE_RECURRENT_WEIGHTS = 1,
    PYMPS_SINGLE_GATE_BIAS_TERMS = 2,
    PYMPS_LSTM_INPUT_GATE_INPUT_WEIGHTS = 3,
    PYMPS_LSTM_INPUT_GATE_RECURRENT_WEIGHTS = 4,
    PYMPS_LSTM_INPUT_GATE_MEMORY_WEIGHTS = 5,
    PYMPS_LSTM_INPUT_GATE_BIAS_TERMS = 6,
    PYMPS_LSTM_FORGET_GATE_INPUT_WEIGHTS = 7,
    PYMPS_LSTM_FORGET_GATE_RECURRENT_WEIGHTS = 8,
    PYMPS_LSTM_FORGET_GATE_MEMORY_WEIGHTS = 9,
    PYMPS_LSTM_FORGET_GATE_BIAS_TERMS = 10,
    PYMPS_LSTM_CELL_GATE_INPUT_WEIGHTS = 11,
    PYMPS_LSTM_CELL_GATE_RECURRENT_WEIGHTS = 12,
    PYMPS_LSTM_CELL_GATE_MEMORY_WEIGHTS = 13,
    PYMPS_LSTM_CELL_GATE_BIAS_TERMS = 14,
    PYMPS_LSTM_OUTPUT_GATE_INPUT_WEIGHTS = 15,
    PYMPS_LSTM_OUTPUT_GATE_RECURRENT_WEIGHTS = 16,
    PYMPS_LSTM_OUTPUT_GATE_MEMORY_WEIGHTS = 17,
    PYMPS_LSTM_OUTPUT_GATE_BIAS_TERMS = 18,
    PYMPS_GRU_INPUT_GATE_INPUT_WEIGHTS = 19,
    PYMPS_GRU_INPUT_GATE_RECURRENT_WEIGHTS = 20,
    PYMPS_GRU_INPUT_GATE_BIAS_TERMS = 21,
    PYMPS_GRU_RECURRENT_GATE_INPUT_WEIGHTS = 22,
    PYMPS_GRU_RECURRENT_GATE_RECURRENT_WEIGHTS = 23,
    PYMPS_GRU_RECURRENT_GATE_BIAS_TERMS = 24,
    PYMPS_GRU_OUTPUT_GATE_INPUT_WEIGHTS = 25,
    PYMPS_GRU_OUTPUT_GATE_RECURRENT_WEIGHTS = 26,
    PYMPS_GRU_OUTPUT_GATE_INPUT_GATE_WEIGHTS = 27,
    PYMPS_GRU_OUTPUT_GATE_BIAS_TERMS = 28,
} pymps_matrix_id;

/* MPSRNNSequenceDirection's values. */
typedef enum pymps_sequence_direction {
    PYMPS_SEQUENCE_FORWARD = 0,
    PYMPS_SEQUENCE_BACKWARD = 1,
} pymps_sequence_direction;

/* MPSRNNBidirectionalCombineMode's values. */
typedef enum pymps_combine_mode {
    PYMPS_COMBINE_NONE = 0,
    PYMPS_COMBINE_ADD = 1,
    PYMPS_COMBINE_CONCATENATE = 2,
} pymps_combine_mode;

typedef enum pymps_storage_mode { /* MTLStorageMode's values */
                                  PYMPS_STORAGE_SHARED = 0,
                                  PYMPS_STORAGE_MANAGED = 1,
                                  PYMPS_STORAGE_PRIVATE = 2,
} pymps_storage_mode;

#define PYMPS_MAX_THREADS 256

typedef struct pymps_device_info {
    char name[128];
    uint64_t registry_id;
    bool is_low_power, is_headless, is_removable, has_unified_memory;
    uint64_t recommended_max_working_set_size_bytes, max_buffer_length_bytes;
    size_t threads;         /* see device_open; 0: the device has processors of its own */
    bool has_linear_images; /* whether images can lie in buffers: see pymps_image.h */
} pymps_device_info;

typedef struct pymps_layer_info {
    size_t input_feature_channels;  /* of the first layer of the stack */
    size_t output_feature_channels; /* of the last */
    size_t number_of_layers;
    bool runs_sequence, runs_bidirectional_sequence; /* see layer_create */
    /* Of the last layer of each direction; 0: the stack has no layer of that direction. */
    size_t forward_output_feature_channels, backward_output_feature_channels;
    bool takes_images; /* else matrices */
} pymps_layer_info;

/* MTLCommandBufferStatus's values. */
typedef enum pymps_command_buffer_status {
    PYMPS_COMMAND_BUFFER_NOT_ENQUEUED = 0,
    PYMPS_COMMAND_BUFFER_ENQUEUED = 1,
    PYMPS_COMMAND_BUFFER_COMMITTED = 2,
    PYMPS_COMMAND_BUFFER_SCHEDULED = 3,
    PYMPS_COMMAND_BUFFER_COMPLETED = 4,
    PYMPS_COMMAND_BUFFER_ERROR = 5,
} pymps_command_buffer_status;

/* Seconds of the host's clock; 0 until known. */
typedef struct pymps_command_buffer_times {
    double kernel_start, kernel_end; /* when the CPU scheduled it */
    double gpu_start, gpu_end;       /* when the device ran it */
} pymps_command_buffer_times;

/* `error` is NULL where `status` is PYMPS_OK, and valid during the call. */
typedef void pymps_command_buffer_handler(void *context, pymps_status status, const pymps_error *error);

typedef struct pymps_device pymps_device;
typedef struct pymps_buffer pymps_buffer;
typedef struct pymps_descriptor pymps_descriptor;
typedef struct pymps_layer pymps_layer;
typedef struct pymps_state pymps_state;
typedef struct pymps_queue pymps_queue;
typedef struct pymps_command_buffer pymps_command_buffer;
typedef struct pymps_shared_event pymps_shared_event;
typedef struct pymps_stream pymps_stream;

/* A matrix in a buffer: element (r, c) lies offset_bytes + r * row_bytes + c * (size of an element) bytes from the
 * buffer's start. It does not own its buffer. */
typedef struct pymps_matrix {
    pymps_buffer *buffer;
    size_t offset_bytes;
    size_t rows, columns, row_bytes;
    pymps_data_type data_type;
} pymps_matrix;

typedef enum pymps_state_matrix {
    PYMPS_RECURRENT_OUTPUT = 0, /* h */
    PYMPS_MEMORY_CELL = 1,      /* c */
} pymps_state_matrix;

/* ---- A backend -------------------------------------------------------------------------------------------------- */

typedef struct pymps_backend {
    const char *name;                                /* "metal" or "portable" */
    const struct pymps_image_functions *images;      /* those of pymps_image.h */
    const struct pymps_training_functions *training; /* those of pymps_training.h */

    /* Devices. All functions on a device may be called from several threads. Where a device computes on the CPU, the
     * layers made on it share their work among `threads` threads where that is faster, the one that runs them included:
     * at most PYMPS_MAX_THREADS; 0: as many as the processors that the process may use, but 8 at most. The number means
     * nothing to a device that has processors of its own. */
    pymps_status (*device_count)(size_t *count, pymps_error *error);
    pymps_status (*device_open)(size_t index, size_t threads, pymps_device **device, pymps_error *error);
    void (*device_release)(pymps_device *device);
    void (*device_info)(pymps_device *device, pymps_device_info *info);
    uint64_t (*device_current_allocated_size_bytes)(pymps_device *device);

    /* Buffers (MTLBuffer). buffer_create: zero-filled. buffer_wrap: newBufferWithBytesNoCopy; pointer and length are
     * multiples of the page size (getpagesize); `deallocator`, where given, is called once with `context` when the last
     * user of the memory has gone, on any thread (it is not called where the function fails). buffer_contents: NULL in
     * private storage. buffer_did_modify: after the CPU wrote to managed storage, and before the commit of what reads
     * it. All functions on a buffer may be called from several threads. */
    pymps_status (*buffer_create)(pymps_device *device, size_t length_bytes, pymps_storage_mode storage_mode,
                                  pymps_buffer **buffer, pymps_error *error);
    pymps_status (*buffer_wrap)(pymps_device *device, void *pointer, size_t length_bytes,
                                void (*deallocator)(void *context), void *context, pymps_buffer **buffer,
                                pymps_error *error);
    void (*buffer_release)(pymps_buffer *buffer);
    void *(*buffer_contents)(pymps_buffer *buffer);
    size_t (*buffer_length_bytes)(pymps_buffer *buffer);
    pymps_storage_mode (*buffer_storage_mode)(pymps_buffer *buffer);
    pymps_status (*buffer_did_modify)(pymps_buffer *buffer, size_t offset_bytes, size_t length_bytes,
                                      pymps_error *error);

    /* Descriptors (MPSLSTMDescriptor, MPSGRUDescriptor, MPSRNNSingleGateDescriptor): Apple's defaults until set.
     * descriptor_set_weights copies what `weights` points to; descriptor_set_data_source retains its context; each
     * replaces what the other has set, and NULL unsets the property. */
    pymps_status (*lstm_descriptor_create)(size_t input_feature_channels, size_t output_feature_channels,
                                           pymps_descriptor **descriptor, pymps_error *error);
    pymps_status (*gru_descriptor_create)(size_t input_feature_channels, size_t output_feature_channels,
                                          pymps_descriptor **descriptor, pymps_error *error);
    pymps_status (*single_gate_descriptor_create)(size_t input_feature_channels, size_t output_feature_channels,
                                                  pymps_descriptor **descriptor, pymps_error *error);
    void (*descriptor_release)(pymps_descriptor *descriptor);
    pymps_status (*descriptor_set_weights)(pymps_descriptor *descriptor, pymps_matrix_id matrix_id,
                                           const pymps_weights *weights, pymps_error *error);
    pymps_status (*descriptor_set_data_source)(pymps_descriptor *descriptor, pymps_matrix_id matrix_id,
                                               const pymps_data_source *source, pymps_error *error);
    void (*descriptor_set_use_layer_input_unit_transform_mode)(pymps_descriptor *descriptor, bool value);
    void (*descriptor_set_use_float32_weights)(pymps_descriptor *descriptor, bool value);
    pymps_status (*descriptor_set_layer_sequence_direction)(pymps_descriptor *descriptor,
                                                            pymps_sequence_direction direction, pymps_error *error);
    pymps_status (*lstm_descriptor_set_memory_weights_are_diagonal)(pymps_descriptor *descriptor, bool value,
                                                                    pymps_error *error);
    pymps_status (*lstm_descriptor_set_cell_to_output_neuron)(pymps_descriptor *descriptor, const pymps_neuron *neuron,
                                                              pymps_error *error);
    pymps_status (*gru_descriptor_set_gate_pnorm_value)(pymps_descriptor *descriptor, float value, pymps_error *error);
    pymps_status (*gru_descriptor_set_flip_output_gates)(pymps_descriptor *descriptor, bool value, pymps_error *error);

    /* Layers (MPSRNNMatrixInferenceLayer): a stack of one or more descriptors. The input channels of each are the
     * output channels of the nearest one before that has its direction. The stack runs a sequence where they are also
     * those of the one right before; it runs a bidirectional sequence where it has both directions, and their first
     * layers take the same input channels. layer_create wants one of the two. Later changes of a descriptor do not
     * reach the layer. layer_copy: a layer with the same weights. All but layer_create, layer_unarchive and
     * layer_encode_* take layers of images too. All functions on a layer may be called from several threads; encoding
     * takes turns, so a thread that shall not wait for another has a copy. */
    pymps_status (*layer_create)(pymps_device *device, pymps_descriptor *const *descriptors, size_t count,
                                 pymps_layer **layer, pymps_error *error);
    pymps_status (*layer_copy)(pymps_layer *layer, pymps_layer **copy, pymps_error *error);
    void (*layer_release)(pymps_layer *layer);
    void (*layer_info)(pymps_layer *layer, pymps_layer_info *info);
    size_t (*layer_output_feature_channels)(pymps_layer *layer, size_t layer_index); /* 0: no such layer */

    /* Archives: a layer with its weights as bytes, for the same backend. layer_archive hands them to `write`, in one
     * or more pieces. layer_unarchive refuses what is damaged, or of another backend, as PYMPS_ERROR_ARGUMENT; a
     * checksum finds damage, not malice. The layer's part is MPS's own coding: what Apple's keeps of the weights is not
     * documented, and untested. */
    pymps_status (*layer_archive)(pymps_layer *layer, void (*write)(void *context, const void *bytes, size_t length),
                                  void *context, pymps_error *error);
    pymps_status (*layer_unarchive)(pymps_device *device, const void *data, size_t length, pymps_layer **layer,
                                    pymps_error *error);

    /* Queues. Command buffers of one queue run in the order of their enqueue, or of their commit where that comes
     * first. A queue holds max_command_buffer_count (64 unless given) that have not completed: command_buffer_create
     * waits for one to complete then, and fails where all of them are uncommitted. A queue may be used from several
     * threads. */
    pymps_status (*queue_create)(pymps_device *device, pymps_queue **queue, pymps_error *error);
    pymps_status (*queue_create_with_max_command_buffer_count)(pymps_device *device, size_t max_command_buffer_count,
                                                               pymps_queue **queue, pymps_error *error);
    void (*queue_release)(pymps_queue *queue);

    /* Command buffers. A command buffer keeps alive all that was encoded into it, until it has run. Nothing can be
     * encoded or added after its commit. Waits come after it, and may then come from several threads, as may
     * command_buffer_status and command_buffer_times. command_buffer_wait fails with PYMPS_ERROR_COMMAND_BUFFER where
     * the device failed. command_buffer_release before the commit drops what was encoded; after an enqueue it commits,
     * since the queue would wait for that for ever. */
    pymps_status (*command_buffer_create)(pymps_queue *queue, pymps_command_buffer **command_buffer,
                                          pymps_error *error);
    void (*command_buffer_release)(pymps_command_buffer *command_buffer);
    pymps_status (*command_buffer_enqueue)(pymps_command_buffer *command_buffer, pymps_error *error);
    pymps_status (*command_buffer_commit)(pymps_command_buffer *command_buffer, pymps_error *error);
    pymps_status (*command_buffer_wait_until_scheduled)(pymps_command_buffer *command_buffer, pymps_error *error);
    pymps_status (*command_buffer_wait)(pymps_command_buffer *command_buffer, pymps_error *error);
    pymps_command_buffer_status (*command_buffer_status)(pymps_command_buffer *command_buffer);
    void (*command_buffer_times)(pymps_command_buffer *command_buffer, pymps_command_buffer_times *times);

    /* Handlers: each is called once, a completed one before command_buffer_wait returns, but never where the command
     * buffer is released uncommitted. In both cases `release`, where given, is called once with `context` afterwards
     * (it is not called where the function fails). A handler can't wait for its own command buffer. */
    pymps_status (*command_buffer_add_scheduled_handler)(pymps_command_buffer *command_buffer,
                                                         pymps_command_buffer_handler *handler,
                                                         void (*release)(void *context), void *context,
                                                         pymps_error *error);
    pymps_status (*command_buffer_add_completed_handler)(pymps_command_buffer *command_buffer,
                                                         pymps_command_buffer_handler *handler,
                                                         void (*release)(void *context), void *context,
                                                         pymps_error *error);

    /* Shared events (MTLSharedEvent): a number that the CPU and the command buffers of one device raise and wait for.
     * A wait ends once the number is at least the given one. All functions on an event may be called from several
     * threads. */
    pymps_status (*shared_event_create)(pymps_device *device, pymps_shared_event **event, pymps_error *error);
    void (*shared_event_release)(pymps_shared_event *event);
    uint64_t (*shared_event_signaled_value)(pymps_shared_event *event);
    void (*shared_event_set_signaled_value)(pymps_shared_event *event, uint64_t value);
    pymps_status (*command_buffer_encode_signal_event)(pymps_command_buffer *command_buffer, pymps_shared_event *event,
                                                       uint64_t value, pymps_error *error);
    pymps_status (*command_buffer_encode_wait_event)(pymps_command_buffer *command_buffer, pymps_shared_event *event,
                                                     uint64_t value, pymps_error *error);

    /* Blits. Offsets and lengths are multiples of 4 bytes; a copy within one buffer does not overlap itself.
     * command_buffer_synchronize makes the device's writes visible to the CPU in managed storage, and has nothing to do
     * in any other. */
    pymps_status (*command_buffer_copy)(pymps_command_buffer *command_buffer, pymps_buffer *source,
                                        size_t source_offset_bytes, pymps_buffer *destination,
                                        size_t destination_offset_bytes, size_t length_bytes, pymps_error *error);
    pymps_status (*command_buffer_fill)(pymps_command_buffer *command_buffer, pymps_buffer *buffer, size_t offset_bytes,
                                        size_t length_bytes, uint8_t value, pymps_error *error);
    pymps_status (*command_buffer_synchronize)(pymps_command_buffer *command_buffer, pymps_buffer *buffer,
                                               pymps_error *error);

    /* Encodes a sequence: sources[t] (rows x input channels) and destinations[t] (the same rows x output channels) for
     * `steps` steps; rows never grow from step to step, all have the data type of sources[0], and no destination shares
     * memory with a source or with `state`. `state` is where the sequence starts: a state of this layer or of a copy of
     * it, with the rows of sources[0], or NULL for zeros. `state_count` is 0, 1 (the final state) or `steps` (the state
     * after each step); that many new references are written to `states`. Temporary states live on this command buffer
     * alone. */
    pymps_status (*layer_encode_sequence)(pymps_layer *layer, pymps_command_buffer *command_buffer, size_t steps,
                                          const pymps_matrix *sources, const pymps_matrix *destinations,
                                          pymps_state *state, size_t state_count, bool states_are_temporary,
                                          pymps_state **states, pymps_error *error);

    /* Encodes a sequence through the forward layers from step 0 on and through the backward layers from the last step
     * on, each from zeros; what stands at index t is the result for sources[t]. The forward destinations have the
     * output channels of the forward layers (PYMPS_COMBINE_NONE), of both, which are equal (PYMPS_COMBINE_ADD), or
     * those of both side by side, forward ones first (PYMPS_COMBINE_CONCATENATE). The backward destinations are NULL
     * but for PYMPS_COMBINE_NONE. No destination shares memory with a source or with one of the other direction. */
    pymps_status (*layer_encode_bidirectional_sequence)(pymps_layer *layer, pymps_command_buffer *command_buffer,
                                                        size_t steps, const pymps_matrix *sources,
                                                        const pymps_matrix *forward_destinations,
                                                        const pymps_matrix *backward_destinations,
                                                        pymps_combine_mode combine_mode, pymps_error *error);

    /* States (MPSRNNRecurrentMatrixState; all but state_create and state_matrix take those of images too). A state is
     * constant once the command buffer that made it has completed, and may then be used from several threads.
     * state_create: a state of the given values; h[l] and c[l] are float32, rows x that layer's output channels,
     * without padding; a NULL h or c, or a NULL in it, stands for zeros, and is all that a layer without a memory cell
     * takes for c. state_matrix: h or c of one layer of the stack; its `buffer` is a new reference of the caller's; a
     * temporary state shows none. The read count of a temporary state is 1 at first; each sequence that starts from it
     * takes 1 off, and at 0 the state is gone. It is 0 for any other state. */
    pymps_status (*state_create)(pymps_layer *layer, size_t rows, const float *const *h, const float *const *c,
                                 pymps_state **state, pymps_error *error);
    void (*state_release)(pymps_state *state);
    pymps_status (*state_matrix)(pymps_state *state, size_t layer_index, pymps_state_matrix which, pymps_matrix *matrix,
                                 pymps_error *error);
    bool (*state_is_temporary)(pymps_state *state);
    size_t (*state_read_count)(pymps_state *state);
    pymps_status (*state_set_read_count)(pymps_state *state, size_t read_count, pymps_error *error);

    /* Copies a matrix in storage of any mode to `destination`: rows x columns elements, without padding. Waits for the
     * copy, on a queue of its own: work that writes the matrix has completed before. */
    pymps_status (*matrix_read)(pymps_device *device, const pymps_matrix *matrix, void *destination,
                                pymps_error *error);

    /* Streams: one step at a time through fixed buffers, the state carried along. stream_source (rows x input
     * channels) and stream_destination (rows x output channels) are float32 in shared storage, for the stream's whole
     * life; they belong to the stream, their `buffer` is borrowed. stream_create runs a few steps on zeros, so that the
     * first one is as fast as any; it waits for them, and fails as they do. stream_step commits and waits: it allocates
     * nothing of its own and takes no lock that another stream holds. On failure the state is what it was.
     * stream_state: a new reference to the current state, or NULL before the first step and after a reset. */
    pymps_status (*stream_create)(pymps_layer *layer, size_t rows, pymps_stream **stream, pymps_error *error);
    void (*stream_release)(pymps_stream *stream);
    void (*stream_source)(pymps_stream *stream, pymps_matrix *matrix);
    void (*stream_destination)(pymps_stream *stream, pymps_matrix *matrix);
    pymps_status (*stream_step)(pymps_stream *stream, pymps_error *error);
    pymps_status (*stream_set_state)(pymps_stream *stream, pymps_state *state, pymps_error *error); /* NULL: zeros */
    pymps_state *(*stream_state)(pymps_stream *stream);
} pymps_backend;

/* The version of this interface. A library with another version must not be used. */
#define PYMPS_ABI_VERSION 5

/* The library's two exported symbols. */
typedef uint32_t pymps_abi_version_function(void);
typedef const pymps_backend *const *pymps_backends_function(size_t *count); /* best first; static storage */

pymps_abi_version_function pymps_abi_version;
pymps_backends_function pymps_backends;

#ifdef __cplusplus
}
#endif

#endif
