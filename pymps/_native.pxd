# The C interface as Cython sees it: declarations only. pymps.h is where they are explained.
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

cdef extern from "pymps.h" nogil:
    ctypedef enum pymps_status:
        PYMPS_OK
        PYMPS_ERROR_ARGUMENT
        PYMPS_ERROR_DEVICE
        PYMPS_ERROR_MEMORY
        PYMPS_ERROR_COMMAND_BUFFER
        PYMPS_ERROR_EXCEPTION

    ctypedef struct pymps_error:
        pymps_status status
        int64_t code
        char text[512]

    ctypedef enum pymps_data_type:
        PYMPS_FLOAT32
        PYMPS_FLOAT16
        PYMPS_UINT8

    ctypedef struct pymps_neuron:
        int32_t type
        float a, b, c
        const float *channel_a
        size_t channel_count

    ctypedef struct pymps_weights:
        const void *data
        pymps_data_type data_type
        size_t output_feature_channels, input_feature_channels
        const float *bias
        pymps_neuron neuron
        const char *label
        const float (*ranges)[2]
        const float *lookup_table
        size_t kernel_width, kernel_height

    ctypedef struct pymps_data_source:
        void *context
        void (*retain)(void *context) noexcept nogil
        void (*release)(void *context) noexcept nogil
        pymps_status (*load)(void *context, pymps_weights *weights, pymps_error *error) noexcept nogil
        void (*purge)(void *context) noexcept nogil

    ctypedef enum pymps_matrix_id:
        PYMPS_SINGLE_GATE_INPUT_WEIGHTS
        PYMPS_SINGLE_GATE_RECURRENT_WEIGHTS
        PYMPS_SINGLE_GATE_BIAS_TERMS
        PYMPS_LSTM_INPUT_GATE_INPUT_WEIGHTS
        PYMPS_LSTM_INPUT_GATE_RECURRENT_WEIGHTS
        PYMPS_LSTM_INPUT_GATE_MEMORY_WEIGHTS
        PYMPS_LSTM_INPUT_GATE_BIAS_TERMS
        PYMPS_LSTM_FORGET_GATE_INPUT_WEIGHTS
        PYMPS_LSTM_FORGET_GATE_RECURRENT_WEIGHTS
        PYMPS_LSTM_FORGET_GATE_MEMORY_WEIGHTS
        PYMPS_LSTM_FORGET_GATE_BIAS_TERMS
        PYMPS_LSTM_CELL_GATE_INPUT_WEIGHTS
        PYMPS_LSTM_CELL_GATE_RECURRENT_WEIGHTS
        PYMPS_LSTM_CELL_GATE_MEMORY_WEIGHTS
        PYMPS_LSTM_CELL_GATE_BIAS_TERMS
        PYMPS_LSTM_OUTPUT_GATE_INPUT_WEIGHTS
        PYMPS_LSTM_OUTPUT_GATE_RECURRENT_WEIGHTS
        PYMPS_LSTM_OUTPUT_GATE_MEMORY_WEIGHTS
        PYMPS_LSTM_OUTPUT_GATE_BIAS_TERMS
        PYMPS_GRU_INPUT_GATE_INPUT_WEIGHTS
        PYMPS_GRU_INPUT_GATE_RECURRENT_WEIGHTS
        PYMPS_GRU_INPUT_GATE_BIAS_TERMS
        PYMPS_GRU_RECURRENT_GATE_INPUT_WEIGHTS
        PYMPS_GRU_RECURRENT_GATE_RECURRENT_WEIGHTS
        PYMPS_GRU_RECURRENT_GATE_BIAS_TERMS
        PYMPS_GRU_OUTPUT_GATE_INPUT_WEIGHTS
        PYMPS_GRU_OUTPUT_GATE_RECURRENT_WEIGHTS
        PYMPS_GRU_OUTPUT_GATE_INPUT_GATE_WEIGHTS
        PYMPS_GRU_OUTPUT_GATE_BIAS_TERMS

    ctypedef enum pymps_sequence_direction:
        PYMPS_SEQUENCE_FORWARD
        PYMPS_SEQUENCE_BACKWARD

    ctypedef enum pymps_combine_mode:
        PYMPS_COMBINE_NONE
        PYMPS_COMBINE_ADD
        PYMPS_COMBINE_CONCATENATE

    ctypedef enum pymps_storage_mode:
        PYMPS_STORAGE_SHARED
        PYMPS_STORAGE_MANAGED
        PYMPS_STORAGE_PRIVATE

    ctypedef struct pymps_device_info:
        char name[128]
        uint64_t registry_id
        bint is_low_power, is_headless, is_removable, has_unified_memory
        uint64_t recommended_max_working_set_size_bytes, max_buffer_length_bytes
        size_t threads
        bint has_linear_images

    ctypedef struct pymps_layer_info:
        size_t input_feature_channels, output_feature_channels, number_of_layers
        bint runs_sequence, runs_bidirectional_sequence
        size_t forward_output_feature_channels, backward_output_feature_channels
        bint takes_images

    ctypedef enum pymps_command_buffer_status:
        PYMPS_COMMAND_BUFFER_NOT_ENQUEUED
        PYMPS_COMMAND_BUFFER_ENQUEUED
        PYMPS_COMMAND_BUFFER_COMMITTED
        PYMPS_COMMAND_BUFFER_SCHEDULED
        PYMPS_COMMAND_BUFFER_COMPLETED
        PYMPS_COMMAND_BUFFER_ERROR

    ctypedef struct pymps_command_buffer_times:
        double kernel_start, kernel_end, gpu_start, gpu_end

    ctypedef void pymps_command_buffer_handler(void *context, pymps_status status,
                                               const pymps_error *error) noexcept nogil

    ctypedef struct pymps_device
    ctypedef struct pymps_buffer
    ctypedef struct pymps_descriptor
    ctypedef struct pymps_layer
    ctypedef struct pymps_state
    ctypedef struct pymps_queue
    ctypedef struct pymps_command_buffer
    ctypedef struct pymps_shared_event
    ctypedef struct pymps_stream

    ctypedef struct pymps_matrix:
        pymps_buffer *buffer
        size_t offset_bytes
        size_t rows, columns, row_bytes
        pymps_data_type data_type

    ctypedef enum pymps_state_matrix:
        PYMPS_RECURRENT_OUTPUT
        PYMPS_MEMORY_CELL

    ctypedef struct pymps_image_functions  # below

    ctypedef struct pymps_backend:
        const char *name
        const pymps_image_functions *images
        const pymps_training_functions *training

        pymps_status (*device_count)(size_t *count, pymps_error *error) noexcept nogil
        pymps_status (*device_open)(size_t index, size_t threads, pymps_device **device, pymps_error *error) noexcept nogil
        void (*device_release)(pymps_device *device) noexcept nogil
        void (*device_info)(pymps_device *device, pymps_device_info *info) noexcept nogil
        uint64_t (*device_current_allocated_size_bytes)(pymps_device *device) noexcept nogil

        pymps_status (*buffer_create)(pymps_device *device, size_t length_bytes, pymps_storage_mode storage_mode,
                                      pymps_buffer **buffer, pymps_error *error) noexcept nogil
        pymps_status (*buffer_wrap)(pymps_device *device, void *pointer, size_t length_bytes,
                                    void (*deallocator)(void *context) noexcept nogil, void *context,
                                    pymps_buffer **buffer, pymps_error *error) noexcept nogil
        void (*buffer_release)(pymps_buffer *buffer) noexcept nogil
        void *(*buffer_contents)(pymps_buffer *buffer) noexcept nogil
        size_t (*buffer_length_bytes)(pymps_buffer *buffer) noexcept nogil
        pymps_storage_mode (*buffer_storage_mode)(pymps_buffer *buffer) noexcept nogil

        pymps_status (*lstm_descriptor_create)(size_t input_feature_channels, size_t output_feature_channels,
                                               pymps_descriptor **descriptor, pymps_error *error) noexcept nogil
        pymps_status (*gru_descriptor_create)(size_t input_feature_channels, size_t output_feature_channels,
                                              pymps_descriptor **descriptor, pymps_error *error) noexcept nogil
        pymps_status (*single_gate_descriptor_create)(size_t input_feature_channels, size_t output_feature_channels,
                                                      pymps_descriptor **descriptor,
                                                      pymps_error *error) noexcept nogil
        void (*descriptor_release)(pymps_descriptor *descriptor) noexcept nogil
        pymps_status (*descriptor_set_weights)(pymps_descriptor *descriptor, pymps_matrix_id matrix_id,
                                               const pymps_weights *weights, pymps_error *error) noexcept nogil
        pymps_status (*descriptor_set_data_source)(pymps_descriptor *descriptor, pymps_matrix_id matrix_id,
                                                   const pymps_data_source *source,
                                                   pymps_error *error) noexcept nogil
        void (*descriptor_set_use_layer_input_unit_transform_mode)(pymps_descriptor *descriptor,
                                                                   bint value) noexcept nogil
        void (*descriptor_set_use_float32_weights)(pymps_descriptor *descriptor, bint value) noexcept nogil
        pymps_status (*descriptor_set_layer_sequence_direction)(pymps_descriptor *descriptor,
                                                                pymps_sequence_direction direction,
                                                                pymps_error *error) noexcept nogil
        pymps_status (*lstm_descriptor_set_memory_weights_are_diagonal)(pymps_descriptor *descriptor, bint value,
                                                                        pymps_error *error) noexcept nogil
        pymps_status (*lstm_descriptor_set_cell_to_output_neuron)(pymps_descriptor *descriptor,
                                                                  const pymps_neuron *neuron,
                                                                  pymps_error *error) noexcept nogil
        pymps_status (*gru_descriptor_set_gate_pnorm_value)(pymps_descriptor *descriptor, float value,
                                                            pymps_error *error) noexcept nogil
        pymps_status (*gru_descriptor_set_flip_output_gates)(pymps_descriptor *descriptor, bint value,
                                                             pymps_error *error) noexcept nogil

        pymps_status (*layer_create)(pymps_device *device, pymps_descriptor **descriptors, size_t count,
                                     pymps_layer **layer, pymps_error *error) noexcept nogil
        pymps_status (*layer_copy)(pymps_layer *layer, pymps_layer **copy, pymps_error *error) noexcept nogil
        void (*layer_release)(pymps_layer *layer) noexcept nogil
        void (*layer_info)(pymps_layer *layer, pymps_layer_info *info) noexcept nogil
        size_t (*layer_output_feature_channels)(pymps_layer *layer, size_t layer_index) noexcept nogil
        pymps_status (*layer_archive)(pymps_layer *layer,
                                      void (*write)(void *context, const void *bytes, size_t length) noexcept nogil,
                                      void *context, pymps_error *error) noexcept nogil
        pymps_status (*layer_unarchive)(pymps_device *device, const void *data, size_t length, pymps_layer **layer,
                                        pymps_error *error) noexcept nogil

        pymps_status (*queue_create)(pymps_device *device, pymps_queue **queue, pymps_error *error) noexcept nogil
        pymps_status (*queue_create_with_max_command_buffer_count)(pymps_device *device,
                                                                   size_t max_command_buffer_count,
                                                                   pymps_queue **queue,
                                                                   pymps_error *error) noexcept nogil
        void (*queue_release)(pymps_queue *queue) noexcept nogil
        pymps_status (*command_buffer_create)(pymps_queue *queue, pymps_command_buffer **command_buffer,
                                              pymps_error *error) noexcept nogil
        void (*command_buffer_release)(pymps_command_buffer *command_buffer) noexcept nogil
        pymps_status (*command_buffer_enqueue)(pymps_command_buffer *command_buffer,
                                               pymps_error *error) noexcept nogil
        pymps_status (*command_buffer_commit)(pymps_command_buffer *command_buffer,
                                              pymps_error *error) noexcept nogil
        pymps_status (*command_buffer_wait_until_scheduled)(pymps_command_buffer *command_buffer,
                                                            pymps_error *error) noexcept nogil
        pymps_status (*command_buffer_wait)(pymps_command_buffer *command_buffer, pymps_error *error) noexcept nogil
        pymps_command_buffer_status (*command_buffer_status)(pymps_command_buffer *command_buffer) noexcept nogil
        void (*command_buffer_times)(pymps_command_buffer *command_buffer,
                                     pymps_command_buffer_times *times) noexcept nogil
        pymps_status (*command_buffer_add_scheduled_handler)(pymps_command_buffer *command_buffer,
                                                             pymps_command_buffer_handler *handler,
                                                             void (*release)(void *context) noexcept nogil,
                                                             void *context, pymps_error *error) noexcept nogil
        pymps_status (*command_buffer_add_completed_handler)(pymps_command_buffer *command_buffer,
                                                             pymps_command_buffer_handler *handler,
                                                             void (*release)(void *context) noexcept nogil,
                                                             void *context, pymps_error *error) noexcept nogil

        pymps_status (*shared_event_create)(pymps_device *device, pymps_shared_event **event,
                                            pymps_error *error) noexcept nogil
        void (*shared_event_release)(pymps_shared_event *event) noexcept nogil
        uint64_t (*shared_event_signaled_value)(pymps_shared_event *event) noexcept nogil
        void (*shared_event_set_signaled_value)(pymps_shared_event *event, uint64_t value) noexcept nogil
        pymps_status (*command_buffer_encode_signal_event)(pymps_command_buffer *command_buffer,
                                                           pymps_shared_event *event, uint64_t value,
                                                           pymps_error *error) noexcept nogil
        pymps_status (*command_buffer_encode_wait_event)(pymps_command_buffer *command_buffer,
                                                         pymps_shared_event *event, uint64_t value,
                                                         pymps_error *error) noexcept nogil

        pymps_status (*command_buffer_copy)(pymps_command_buffer *command_buffer, pymps_buffer *source,
                                            size_t source_offset_bytes, pymps_buffer *destination,
                                            size_t destination_offset_bytes, size_t length_bytes,
                                            pymps_error *error) noexcept nogil
        pymps_status (*command_buffer_fill)(pymps_command_buffer *command_buffer, pymps_buffer *buffer,
                                            size_t offset_bytes, size_t length_bytes, uint8_t value,
                                            pymps_error *error) noexcept nogil
        pymps_status (*command_buffer_synchronize)(pymps_command_buffer *command_buffer, pymps_buffer *buffer,
                                                   pymps_error *error) noexcept nogil

        pymps_status (*layer_encode_sequence)(pymps_layer *layer, pymps_command_buffer *command_buffer, size_t steps,
                                              const pymps_matrix *sources, const pymps_matrix *destinations,
                                              pymps_state *state, size_t state_count, bint states_are_temporary,
                                              pymps_state **states, pymps_error *error) noexcept nogil
        pymps_status (*layer_encode_bidirectional_sequence)(pymps_layer *layer, pymps_command_buffer *command_buffer,
                                                            size_t steps, const pymps_matrix *sources,
                                                            const pymps_matrix *forward_destinations,
                                                            const pymps_matrix *backward_destinations,
                                                            pymps_combine_mode combine_mode,
                                                            pymps_error *error) noexcept nogil

        pymps_status (*state_create)(pymps_layer *layer, size_t rows, const float **h, const float **c,
                                     pymps_state **state, pymps_error *error) noexcept nogil
        void (*state_release)(pymps_state *state) noexcept nogil
        pymps_status (*state_matrix)(pymps_state *state, size_t layer_index, pymps_state_matrix which,
                                     pymps_matrix *matrix, pymps_error *error) noexcept nogil
        bint (*state_is_temporary)(pymps_state *state) noexcept nogil
        size_t (*state_read_count)(pymps_state *state) noexcept nogil
        pymps_status (*state_set_read_count)(pymps_state *state, size_t read_count, pymps_error *error) noexcept nogil

        pymps_status (*matrix_read)(pymps_device *device, const pymps_matrix *matrix, void *destination,
                                    pymps_error *error) noexcept nogil

        pymps_status (*stream_create)(pymps_layer *layer, size_t rows, pymps_stream **stream,
                                      pymps_error *error) noexcept nogil
        void (*stream_release)(pymps_stream *stream) noexcept nogil
        void (*stream_source)(pymps_stream *stream, pymps_matrix *matrix) noexcept nogil
        void (*stream_destination)(pymps_stream *stream, pymps_matrix *matrix) noexcept nogil
        pymps_status (*stream_step)(pymps_stream *stream, pymps_error *error) noexcept nogil
        pymps_status (*stream_set_state)(pymps_stream *stream, pymps_state *state, pymps_error *error) noexcept nogil
        pymps_state *(*stream_state)(pymps_stream *stream) noexcept nogil

    uint32_t PYMPS_ABI_VERSION
    size_t PYMPS_MAX_THREADS


cdef extern from "pymps_image.h" nogil:
    ctypedef enum pymps_channel_format:
        PYMPS_CHANNELS_UNORM8
        PYMPS_CHANNELS_UNORM16
        PYMPS_CHANNELS_FLOAT16
        PYMPS_CHANNELS_FLOAT32

    ctypedef enum pymps_data_layout:
        PYMPS_HEIGHT_WIDTH_CHANNELS
        PYMPS_CHANNELS_HEIGHT_WIDTH

    ctypedef struct pymps_image_descriptor:
        size_t width, height, feature_channels, number_of_images
        pymps_channel_format channel_format

    size_t PYMPS_ALL_IMAGES

    ctypedef struct pymps_image

    ctypedef struct pymps_image_functions:
        pymps_status (*image_create)(pymps_device *device, const pymps_image_descriptor *descriptor,
                                     pymps_image **image, pymps_error *error) noexcept nogil
        pymps_status (*image_create_in_buffer)(pymps_buffer *buffer, size_t offset_bytes,
                                               const pymps_image_descriptor *descriptor, pymps_image **image,
                                               pymps_error *error) noexcept nogil
        pymps_status (*image_create_temporary)(pymps_command_buffer *command_buffer,
                                               const pymps_image_descriptor *descriptor, pymps_image **image,
                                               pymps_error *error) noexcept nogil
        void (*image_release)(pymps_image *image) noexcept nogil
        void (*image_descriptor)(pymps_image *image, pymps_image_descriptor *descriptor) noexcept nogil
        pymps_buffer *(*image_buffer)(pymps_image *image, size_t *offset_bytes) noexcept nogil
        bint (*image_is_temporary)(pymps_image *image) noexcept nogil
        size_t (*image_read_count)(pymps_image *image) noexcept nogil
        pymps_status (*image_set_read_count)(pymps_image *image, size_t read_count,
                                             pymps_error *error) noexcept nogil
        pymps_status (*image_read)(pymps_device *device, pymps_image *image, size_t image_index,
                                   pymps_data_layout layout, void *destination, pymps_error *error) noexcept nogil
        pymps_status (*image_write)(pymps_device *device, pymps_image *image, size_t image_index,
                                    pymps_data_layout layout, const void *source,
                                    pymps_error *error) noexcept nogil
        pymps_status (*command_buffer_synchronize_image)(pymps_command_buffer *command_buffer, pymps_image *image,
                                                         pymps_error *error) noexcept nogil
        pymps_status (*image_layer_create)(pymps_device *device, pymps_descriptor **descriptors, size_t count,
                                           pymps_layer **layer, pymps_error *error) noexcept nogil
        pymps_status (*image_layer_unarchive)(pymps_device *device, const void *data, size_t length,
                                              pymps_layer **layer, pymps_error *error) noexcept nogil
        pymps_status (*image_layer_encode_sequence)(pymps_layer *layer, pymps_command_buffer *command_buffer,
                                                    size_t steps, pymps_image **sources, pymps_image **destinations,
                                                    pymps_state *state, size_t state_count,
                                                    bint states_are_temporary, pymps_state **states,
                                                    pymps_error *error) noexcept nogil
        pymps_status (*image_layer_encode_bidirectional_sequence)(pymps_layer *layer,
                                                                  pymps_command_buffer *command_buffer, size_t steps,
                                                                  pymps_image **sources,
                                                                  pymps_image **forward_destinations,
                                                                  pymps_image **backward_destinations,
                                                                  pymps_combine_mode combine_mode,
                                                                  pymps_error *error) noexcept nogil
        pymps_status (*image_state_create)(pymps_layer *layer, size_t width, size_t height, size_t number_of_images,
                                           const float **h, const float **c, pymps_state **state,
                                           pymps_error *error) noexcept nogil
        pymps_status (*image_state_image)(pymps_state *state, size_t layer_index, pymps_state_matrix which,
                                          pymps_image **image, pymps_error *error) noexcept nogil
        pymps_status (*image_stream_create)(pymps_layer *layer, size_t width, size_t height, size_t number_of_images,
                                            pymps_stream **stream, pymps_error *error) noexcept nogil


cdef extern from "pymps_training.h" nogil:
    ctypedef struct pymps_training_layer
    ctypedef struct pymps_training_matrices
    ctypedef struct pymps_training_tape
    ctypedef struct pymps_optimizer

    ctypedef struct pymps_training_layer_info:
        size_t input_feature_channels, output_feature_channels
        bint has_memory_cell
        pymps_data_type weights_data_type

    ctypedef struct pymps_training_forward:
        pymps_training_matrices *weights
        size_t steps
        const pymps_matrix *sources
        const pymps_matrix *destinations
        pymps_state *state
        size_t state_count
        bint states_are_temporary
        pymps_state **states
        bint tape_is_temporary

    ctypedef struct pymps_training_gradient:
        pymps_training_matrices *weights
        pymps_training_tape *tape
        size_t first_step, steps
        const pymps_matrix *sources
        const pymps_matrix *dy
        const pymps_matrix *dx
        pymps_training_matrices *weight_gradients
        bint accumulate_weight_gradients
        pymps_state *state
        size_t state_count
        bint states_are_temporary
        pymps_state **states

    ctypedef enum pymps_regularization_type:
        PYMPS_REGULARIZATION_NONE
        PYMPS_REGULARIZATION_L1
        PYMPS_REGULARIZATION_L2

    ctypedef struct pymps_optimizer_options:
        float learning_rate, gradient_rescale
        bint apply_gradient_clipping
        float gradient_clip_min, gradient_clip_max
        pymps_regularization_type regularization_type
        float regularization_scale

    ctypedef struct pymps_training_functions:
        pymps_status (*training_layer_create)(pymps_device *device, pymps_descriptor *descriptor,
                                              pymps_training_layer **layer, pymps_training_matrices **weights,
                                              pymps_error *error) noexcept nogil
        pymps_status (*training_layer_copy)(pymps_training_layer *layer, pymps_training_layer **copy,
                                            pymps_error *error) noexcept nogil
        void (*training_layer_release)(pymps_training_layer *layer) noexcept nogil
        void (*training_layer_info)(pymps_training_layer *layer, pymps_training_layer_info *info) noexcept nogil
        bint (*training_layer_matrix_shape)(pymps_training_layer *layer, pymps_matrix_id matrix_id, size_t *rows,
                                            size_t *columns) noexcept nogil
        pymps_status (*training_weights_create)(pymps_training_layer *layer, pymps_training_matrices **weights,
                                                pymps_error *error) noexcept nogil
        pymps_status (*training_gradients_create)(pymps_training_layer *layer, pymps_data_type data_type,
                                                  pymps_command_buffer *command_buffer,
                                                  pymps_training_matrices **gradients,
                                                  pymps_error *error) noexcept nogil
        void (*training_matrices_release)(pymps_training_matrices *matrices) noexcept nogil
        pymps_data_type (*training_matrices_data_type)(pymps_training_matrices *matrices) noexcept nogil
        bint (*training_matrices_is_temporary)(pymps_training_matrices *matrices) noexcept nogil
        pymps_status (*training_layer_encode_copy)(pymps_training_layer *layer, pymps_command_buffer *command_buffer,
                                                   pymps_training_matrices *matrices, pymps_matrix_id matrix_id,
                                                   const pymps_matrix *matrix, size_t first_row, size_t first_column,
                                                   bint from_matrix, pymps_error *error) noexcept nogil
        pymps_status (*training_layer_encode_forward)(pymps_training_layer *layer,
                                                      pymps_command_buffer *command_buffer,
                                                      const pymps_training_forward *forward,
                                                      pymps_training_tape **tape, pymps_error *error) noexcept nogil
        pymps_status (*training_layer_encode_gradient)(pymps_training_layer *layer,
                                                       pymps_command_buffer *command_buffer,
                                                       const pymps_training_gradient *gradient,
                                                       pymps_error *error) noexcept nogil
        void (*training_tape_release)(pymps_training_tape *tape) noexcept nogil
        bint (*training_tape_is_temporary)(pymps_training_tape *tape) noexcept nogil
        pymps_status (*training_state_create)(pymps_training_layer *layer, bint is_gradient, size_t rows,
                                              const float *h, const float *c, pymps_state **state,
                                              pymps_error *error) noexcept nogil
        pymps_status (*sgd_optimizer_create)(pymps_training_layer *layer, const pymps_optimizer_options *options,
                                             float momentum_scale, bint use_nesterov_momentum,
                                             pymps_optimizer **optimizer, pymps_error *error) noexcept nogil
        pymps_status (*rms_prop_optimizer_create)(pymps_training_layer *layer, const pymps_optimizer_options *options,
                                                  double decay, float epsilon, pymps_optimizer **optimizer,
                                                  pymps_error *error) noexcept nogil
        pymps_status (*adam_optimizer_create)(pymps_training_layer *layer, const pymps_optimizer_options *options,
                                              double beta1, double beta2, float epsilon, bint use_ams_grad,
                                              pymps_optimizer **optimizer, pymps_error *error) noexcept nogil
        void (*optimizer_release)(pymps_optimizer *optimizer) noexcept nogil
        float (*optimizer_learning_rate)(pymps_optimizer *optimizer) noexcept nogil
        pymps_status (*optimizer_set_learning_rate)(pymps_optimizer *optimizer, float learning_rate,
                                                    pymps_error *error) noexcept nogil
        size_t (*optimizer_time_step)(pymps_optimizer *optimizer) noexcept nogil
        void (*optimizer_set_time_step)(pymps_optimizer *optimizer, size_t time_step) noexcept nogil
        pymps_status (*optimizer_encode)(pymps_optimizer *optimizer, pymps_command_buffer *command_buffer,
                                         pymps_training_matrices *gradients, pymps_training_matrices *weights,
                                         pymps_error *error) noexcept nogil
