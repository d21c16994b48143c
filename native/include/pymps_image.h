/* pymps_image.h: what layers of images (MPSRNNImageInferenceLayer) have beside pymps.h: images, and layers whose
 * weights are convolutions. Descriptors, queues, command buffers and devices are those of pymps.h, and so are its
 * rules.
 *
 * A layer of images, its states and its streams are handles of pymps.h's types: layer_copy, layer_release, layer_info,
 * layer_output_feature_channels, layer_archive, state_release, state_is_temporary, state_read_count,
 * state_set_read_count and all functions of streams but stream_create take them. Where a handle is of the wrong kind,
 * that is an argument error.
 *
 * Blocking: nothing waits for the device but image_read, image_write, image_layer_unarchive, image_state_create and
 * image_stream_create.
 */
#ifndef PYMPS_IMAGE_H
#define PYMPS_IMAGE_H

#include "pymps.h"

#ifdef __cplusplus
extern "C" {
#endif

/* MPSImageFeatureChannelFormat's values. */
typedef enum pymps_channel_format {
    PYMPS_CHANNELS_UNORM8 = 1,  /* uint8, 0 to 255 for 0 to 1 */
    PYMPS_CHANNELS_UNORM16 = 2, /* uint16, 0 to 65535 for 0 to 1 */
    PYMPS_CHANNELS_FLOAT16 = 3,
    PYMPS_CHANNELS_FLOAT32 = 4,
} pymps_channel_format;

/* MPSDataLayout's values. */
typedef enum pymps_data_layout {
    PYMPS_HEIGHT_WIDTH_CHANNELS = 0,
    PYMPS_CHANNELS_HEIGHT_WIDTH = 1,
} pymps_data_layout;

typedef struct pymps_image_descriptor {
    size_t width, height, feature_channels;
    size_t number_of_images; /* one behind the other; each is another sequence */
    pymps_channel_format channel_format;
} pymps_image_descriptor;

#define PYMPS_ALL_IMAGES SIZE_MAX

typedef struct pymps_image pymps_image;

typedef struct pymps_image_functions {
    /* Images (MPSImage). image_create: zeros; in memory of its own, which the CPU sees. image_create_in_buffer: over
     * the memory of a shared buffer, element (n, y, x, c) at offset_bytes + (((n * height + y) * width + x) *
     * feature_channels + c) * (size of an element); PYMPS_ERROR_DEVICE where the device has no such images (see
     * pymps_device_info). image_create_temporary: on this command buffer alone (MPSTemporaryImage), unseen by the CPU.
     * image_buffer: the buffer in which the image lies in that form, as a new reference, and its offset; NULL where it
     * does not. The read count of a temporary image is 1 at first; each sequence that reads it takes 1 off, and at 0
     * the image is gone. It is 0 for any other image. All functions on an image may be called from several threads. */
    pymps_status (*image_create)(pymps_device *device, const pymps_image_descriptor *descriptor, pymps_image **image,
                                 pymps_error *error);
    pymps_status (*image_create_in_buffer)(pymps_buffer *buffer, size_t offset_bytes,
                                           const pymps_image_descriptor *descriptor, pymps_image **image,
                                           pymps_error *error);
    pymps_status (*image_create_temporary)(pymps_command_buffer *command_buffer,
                                           const pymps_image_descriptor *descriptor, pymps_image **image,
                                           pymps_error *error);
    void (*image_release)(pymps_image *image);
    void (*image_descriptor)(pymps_image *image, pymps_image_descriptor *descriptor);
    pymps_buffer *(*image_buffer)(pymps_image *image, size_t *offset_bytes);
    bool (*image_is_temporary)(pymps_image *image);
    size_t (*image_read_count)(pymps_image *image);
    pymps_status (*image_set_read_count)(pymps_image *image, size_t read_count, pymps_error *error);

    /* Copy elements of the channel format, without padding and without conversion: of the image_index-th image, or of
     * PYMPS_ALL_IMAGES one behind the other. They wait for the copy, on a queue of their own: work that writes the
     * image has completed before, and for image_write, work that reads it. `device` is the image's. */
    pymps_status (*image_read)(pymps_device *device, pymps_image *image, size_t image_index, pymps_data_layout layout,
                               void *destination, pymps_error *error);
    pymps_status (*image_write)(pymps_device *device, pymps_image *image, size_t image_index, pymps_data_layout layout,
                                const void *source, pymps_error *error);

    /* Makes the device's writes visible to the CPU in managed storage, as image_read does by itself. */
    pymps_status (*command_buffer_synchronize_image)(pymps_command_buffer *command_buffer, pymps_image *image,
                                                     pymps_error *error);

    /* As layer_create and layer_unarchive. Each weight is a convolution that keeps the size of the images, with zeros
     * beyond their edges: its kernel lies kernel_width / 2 to the left of a pixel and kernel_height / 2 above it,
     * rounded down. Biases, and diagonals, are those of a channel at every pixel. Weights are kept as float16 whatever
     * use_float32_weights says. */
    pymps_status (*image_layer_create)(pymps_device *device, pymps_descriptor *const *descriptors, size_t count,
                                       pymps_layer **layer, pymps_error *error);
    pymps_status (*image_layer_unarchive)(pymps_device *device, const void *data, size_t length, pymps_layer **layer,
                                          pymps_error *error);

    /* As layer_encode_sequence and layer_encode_bidirectional_sequence. All images have the same width, height and
     * number of images, the state too; the channel format is each one's own. No destination shares memory with a
     * source, with another destination or with `state`. A temporary image is a source of one step alone. */
    pymps_status (*image_layer_encode_sequence)(pymps_layer *layer, pymps_command_buffer *command_buffer, size_t steps,
                                                pymps_image *const *sources, pymps_image *const *destinations,
                                                pymps_state *state, size_t state_count, bool states_are_temporary,
                                                pymps_state **states, pymps_error *error);
    pymps_status (*image_layer_encode_bidirectional_sequence)(pymps_layer *layer, pymps_command_buffer *command_buffer,
                                                              size_t steps, pymps_image *const *sources,
                                                              pymps_image *const *forward_destinations,
                                                              pymps_image *const *backward_destinations,
                                                              pymps_combine_mode combine_mode, pymps_error *error);

    /* As state_create and state_matrix (MPSRNNRecurrentImageState): h[l] and c[l] are float32,
     * [number_of_images][height][width][that layer's output channels]. image_state_image: a new reference to an image
     * that is not to be written. */
    pymps_status (*image_state_create)(pymps_layer *layer, size_t width, size_t height, size_t number_of_images,
                                       const float *const *h, const float *const *c, pymps_state **state,
                                       pymps_error *error);
    pymps_status (*image_state_image)(pymps_state *state, size_t layer_index, pymps_state_matrix which,
                                      pymps_image **image, pymps_error *error);

    /* As stream_create. A row of stream_source and stream_destination is a pixel: row (n * height + y) * width + x. */
    pymps_status (*image_stream_create)(pymps_layer *layer, size_t width, size_t height, size_t number_of_images,
                                        pymps_stream **stream, pymps_error *error);
} pymps_image_functions;

#ifdef __cplusplus
}
#endif

#endif
