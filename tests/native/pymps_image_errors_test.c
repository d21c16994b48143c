/* What the C interface refuses about images and layers of images, by the error's text. */
#include "pymps_cells.h"
#include "pymps_image.h"

enum { WIDTH = 5, HEIGHT = 4, INPUTS = 3, OUTPUTS = 2 };

static pymps_device *device;
static const pymps_image_functions *images;
static const pymps_image_descriptor good = {WIDTH, HEIGHT, INPUTS, 1, PYMPS_CHANNELS_FLOAT32};

static pymps_image *make_image(pymps_image_descriptor descriptor) {
    pymps_image *image;
    REQUIRE(images->image_create(device, &descriptor, &image, error));
    return image;
}

static pymps_descriptor *describe(size_t kernel_width, size_t kernel_height) {
    static const float zeros[1 << 10];
    pymps_descriptor *descriptor;
    REQUIRE(api->single_gate_descriptor_create(INPUTS, OUTPUTS, &descriptor, error));
    pymps_weights weights = float_weights(zeros, OUTPUTS, INPUTS, NULL, TANH);
    weights.kernel_width = kernel_width;
    weights.kernel_height = kernel_height;
    REQUIRE(api->descriptor_set_weights(descriptor, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &weights, error));
    return descriptor;
}

static pymps_layer *make_image_layer(void) {
    pymps_descriptor *descriptor = describe(3, 3);
    pymps_layer *layer;
    REQUIRE(images->image_layer_create(device, &descriptor, 1, &layer, error));
    api->descriptor_release(descriptor);
    return layer;
}

static void test_descriptors(void) {
    pymps_image_descriptor bad;
    pymps_image *image;
#define FAILS_WITH(field, value, ...)                                                                                  \
    do {                                                                                                               \
        bad = good;                                                                                                    \
        bad.field = value;                                                                                             \
        FAILS(images->image_create(device, &bad, &image, error), "[image_create] descriptor." __VA_ARGS__);            \
    } while (0)
    FAILS_WITH(width, 0, "width: 0, expected at least 1");
    FAILS_WITH(height, 0, "height: 0, expected at least 1");
    FAILS_WITH(feature_channels, 0, "feature_channels: 0, expected at least 1");
    FAILS_WITH(number_of_images, 0, "number_of_images: 0, expected at least 1");
    for (int format = 0; format < 8; format += format == 0 ? 5 : 1)
        FAILS_WITH(channel_format, (pymps_channel_format)format,
                   "channel_format: %d, expected 1 (unorm8), 2 (unorm16), 3 (float16) or 4 (float32)", format);
    FAILS_WITH(width, 16385, "width: 16385, expected at most 16384");
    FAILS_WITH(height, 16385, "height: 16385, expected at most 16384");
    FAILS_WITH(number_of_images, 2049,
               "number_of_images: 2049 of 3 channels, expected at most 2048 slices of 4 channels");
    FAILS_WITH(feature_channels, 4 * 2048 + 1,
               "number_of_images: 1 of 8193 channels, expected at most 2048 slices of 4 channels");
    pymps_device_info info;
    api->device_info(device, &info);
    FAILS_WITH(height, SIZE_MAX,
               "number_of_images: 1 of 5 x %zu pixels of 3 channels, expected at most %zu bytes, the device's "
               "max_buffer_length_bytes",
               SIZE_MAX, (size_t)info.max_buffer_length_bytes);
#undef FAILS_WITH
    FAILS(images->image_create(NULL, &good, &image, error), "[image_create] device: NULL, expected a pointer");
    FAILS(images->image_create(device, NULL, &image, error), "[image_create] descriptor: NULL, expected a pointer");
    FAILS(images->image_create(device, &good, NULL, error), "[image_create] image: NULL, expected a pointer");
    images->image_release(NULL);
    images->image_descriptor(NULL, &bad);
    CHECK(images->image_buffer(NULL, NULL) == NULL && images->image_read_count(NULL) == 0, "not nothing");
}

static void test_buffers(void) {
    pymps_device_info info;
    api->device_info(device, &info);
    if (!info.has_linear_images)
        return;
    enum { BYTES = WIDTH * HEIGHT * INPUTS * sizeof(float) };
    pymps_buffer *buffer = make_buffer(device, BYTES + 4, PYMPS_STORAGE_SHARED),
                 *private = make_buffer(device, BYTES, PYMPS_STORAGE_PRIVATE);
    pymps_image *image;
#define IN_BUFFER(buffer, offset) images->image_create_in_buffer(buffer, offset, &good, &image, error)
#define TEXT "[image_create_in_buffer] "
    FAILS(IN_BUFFER(NULL, 0), TEXT "buffer: NULL, expected a pointer");
    FAILS(IN_BUFFER(private, 0), TEXT "buffer: storage mode 2, expected 0 (shared)");
    FAILS(IN_BUFFER(buffer, 2), TEXT "offset_bytes: 2, expected a multiple of 4");
    FAILS(IN_BUFFER(buffer, 8),
          TEXT "offset_bytes: 8 and an image of %d bytes, expected to end within the buffer's %d bytes", BYTES,
          BYTES + 4);
    FAILS(IN_BUFFER(buffer, SIZE_MAX - 3),
          TEXT "offset_bytes: %zu and an image of %d bytes, expected to end within the buffer's %d bytes", SIZE_MAX - 3,
          BYTES, BYTES + 4);
#undef TEXT
    api->buffer_release(buffer);
    api->buffer_release(private);
}

static void test_access(void) {
    float numbers[WIDTH * HEIGHT * INPUTS] = {0};
    pymps_image *image = make_image(good), *temporary;
    pymps_command_buffer *commands = make_command_buffer(device);
    REQUIRE(images->image_create_temporary(commands, &good, &temporary, error));
#define READ(image, index, layout, numbers) images->image_read(device, image, index, layout, numbers, error)
    FAILS(images->image_read(NULL, image, 0, 0, numbers, error), "[image_read] device: NULL, expected a pointer");
    FAILS(READ(NULL, 0, 0, numbers), "[image_read] image: NULL, expected a pointer");
    FAILS(READ(image, 0, 0, NULL), "[image_read] destination: NULL, expected a pointer");
    FAILS(READ(image, 1, 0, numbers), "[image_read] image_index: 1, expected less than 1");
    FAILS(READ(image, 0, (pymps_data_layout)2, numbers),
          "[image_read] layout: 2, expected 0 (height, width, channels) or 1 (channels, height, width)");
    FAILS(READ(temporary, 0, 0, numbers), "[image_read] image: temporary, expected one that the CPU can see");
    FAILS(images->image_write(device, temporary, 0, 0, numbers, error),
          "[image_write] image: temporary, expected one that the CPU can see");
    FAILS(images->image_write(device, image, 0, 0, NULL, error), "[image_write] source: NULL, expected a pointer");
    FAILS(images->command_buffer_synchronize_image(commands, temporary, error),
          "[command_buffer_synchronize_image] image: temporary, expected one that the CPU can see");
    FAILS(images->image_set_read_count(image, 2, error),
          "[image_set_read_count] image: not temporary, expected one with a read count");
    FAILS(images->image_set_read_count(NULL, 2, error), "[image_set_read_count] image: NULL, expected a pointer");
    REQUIRE(images->image_set_read_count(temporary, 0, error));
    FAILS(images->image_set_read_count(temporary, 1, error),
          "[image_set_read_count] image: a read count of 0, which is final");
    images->image_release(temporary);
    REQUIRE(images->image_create_temporary(commands, &good, &temporary, error));
    REQUIRE(api->command_buffer_commit(commands, error));
    FAILS(images->image_set_read_count(temporary, 2, error),
          "[image_set_read_count] image: its command buffer is committed, expected to be changed before");
    pymps_image *late;
    static const char committed[] = "command_buffer: already committed, expected to encode before";
    FAILS(images->image_create_temporary(commands, &good, &late, error), "[image_create_temporary] %s", committed);
    FAILS(images->command_buffer_synchronize_image(commands, image, error), "[command_buffer_synchronize_image] %s",
          committed);
    REQUIRE(api->command_buffer_wait(commands, error));
    images->image_release(temporary);
    images->image_release(image);
    api->command_buffer_release(commands);
}

static void test_layers(void) {
    pymps_descriptor *descriptor = describe(3, 2);
    pymps_layer *layer;
    FAILS(
        api->layer_create(device, &descriptor, 1, &layer, error),
        "[layer_create] descriptors[0].kernel_height, kernel_width: 2 x 3 of matrix_id 0, expected 1 x 1 in a layer of "
        "matrices");
    float numbers[OUTPUTS * INPUTS] = {0};
    pymps_weights weights = float_weights(numbers, OUTPUTS, INPUTS, NULL, 0);
    weights.kernel_width = weights.kernel_height = SIZE_MAX / 2;
    FAILS(api->descriptor_set_weights(descriptor, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &weights, error),
          "[descriptor_set_weights] weights.data: 2 x %zu x %zu x 3 numbers, more than memory can hold", SIZE_MAX / 2,
          SIZE_MAX / 2);
    api->descriptor_release(descriptor);
    FAILS(images->image_layer_create(NULL, &descriptor, 1, &layer, error),
          "[image_layer_create] device: NULL, expected a pointer");
    FAILS(images->image_layer_create(device, NULL, 1, &layer, error),
          "[image_layer_create] descriptors: NULL, expected a pointer");
    FAILS(images->image_layer_unarchive(device, "?", 1, &layer, error),
          "[image_layer_unarchive] data: 1 bytes, expected at least 48, the head of an archive");
}

/* A layer, a state or a stream of the other kind. */
static void test_kinds(void) {
    pymps_layer *of_images = make_image_layer(), *of_matrices;
    pymps_descriptor *descriptor = describe(1, 1);
    REQUIRE(api->layer_create(device, &descriptor, 1, &of_matrices, error));
    api->descriptor_release(descriptor);
    pymps_state *state, *image_state;
    pymps_stream *stream;
    pymps_image *image;
    pymps_matrix matrix;
    static const char not_images[] = "layer: of images, expected one of matrices";
    static const char not_matrices[] = "layer: of matrices, expected one of images";
    FAILS(api->state_create(of_images, 1, NULL, NULL, &state, error), "[state_create] %s", not_images);
    FAILS(api->stream_create(of_images, 1, &stream, error), "[stream_create] %s", not_images);
    FAILS(images->image_state_create(of_matrices, 1, 1, 1, NULL, NULL, &state, error), "[image_state_create] %s",
          not_matrices);
    FAILS(images->image_stream_create(of_matrices, 1, 1, 1, &stream, error), "[image_stream_create] %s", not_matrices);
    REQUIRE(api->state_create(of_matrices, 1, NULL, NULL, &state, error));
    REQUIRE(images->image_state_create(of_images, 1, 1, 1, NULL, NULL, &image_state, error));
    FAILS(api->state_matrix(image_state, 0, PYMPS_RECURRENT_OUTPUT, &matrix, error),
          "[state_matrix] state: of images, expected one of matrices");
    FAILS(images->image_state_image(state, 0, PYMPS_RECURRENT_OUTPUT, &image, error),
          "[image_state_image] state: of matrices, expected one of images");
    REQUIRE(api->stream_create(of_matrices, 1, &stream, error));
    FAILS(api->stream_set_state(stream, image_state, error),
          "[stream_set_state] state: of another layer, expected one of this layer or of a copy of it");
    api->stream_release(stream);
    api->state_release(state);
    api->state_release(image_state);
    pymps_command_buffer *commands = make_command_buffer(device);
    pymps_buffer *x = make_buffer(device, 64, PYMPS_STORAGE_SHARED), *y = make_buffer(device, 64, PYMPS_STORAGE_SHARED);
    pymps_matrix from = float_matrix(x, 0, 1, INPUTS, 12), to = float_matrix(y, 0, 1, OUTPUTS, 8);
    FAILS(api->layer_encode_sequence(of_images, commands, 1, &from, &to, NULL, 0, false, NULL, error),
          "[layer_encode_sequence] %s", not_images);
    image = make_image(good);
    FAILS(images->image_layer_encode_sequence(of_matrices, commands, 1, &image, &image, NULL, 0, false, NULL, error),
          "[image_layer_encode_sequence] %s", not_matrices);
    images->image_release(image);
    api->buffer_release(x);
    api->buffer_release(y);
    api->command_buffer_release(commands);
    api->layer_release(of_images);
    api->layer_release(of_matrices);
}

static void test_states(void) {
    pymps_layer *layer = make_image_layer();
    pymps_state *state;
    pymps_image *image;
    const float numbers[OUTPUTS] = {0}, *given[] = {numbers};
    pymps_stream *stream;
    FAILS(images->image_state_create(layer, 0, 1, 1, NULL, NULL, &state, error),
          "[image_state_create] width: 0, expected at least 1");
    FAILS(images->image_state_create(layer, 1, 1, 1, NULL, given, &state, error),
          "[image_state_create] c[0]: given for a layer without a memory cell, expected NULL");
    FAILS(images->image_stream_create(layer, 1, 0, 1, &stream, error),
          "[image_stream_create] height: 0, expected at least 1");
    REQUIRE(images->image_state_create(layer, 1, 1, 1, given, NULL, &state, error));
    FAILS(images->image_state_image(state, 1, PYMPS_RECURRENT_OUTPUT, &image, error),
          "[image_state_image] layer_index: 1, expected less than 1");
    FAILS(images->image_state_image(state, 0, PYMPS_MEMORY_CELL, &image, error),
          "[image_state_image] which: 1 (memory cell) of layer 0, which has none");
    REQUIRE(images->image_state_image(state, 0, PYMPS_RECURRENT_OUTPUT, &image, error));
    FAILS(images->image_write(device, image, 0, 0, numbers, error),
          "[image_write] image: of a state, expected one that can be written");
    api->state_release(state);
    images->image_release(image);
    api->layer_release(layer);
}

static void test_sequences(void) {
    pymps_layer *layer = make_image_layer();
    pymps_image_descriptor result = good;
    result.feature_channels = OUTPUTS;
    pymps_image *s[2] = {make_image(good), make_image(good)}, *d[2] = {make_image(result), make_image(result)};
    pymps_image *bad[2] = {s[0], NULL};
    pymps_state *states[2], *state;
    pymps_command_buffer *commands = make_command_buffer(device), *others = make_command_buffer(device);
#define ENCODE(steps, s, d, state, count)                                                                              \
    images->image_layer_encode_sequence(layer, commands, steps, s, d, state, count, false, states, error)
#define TEXT(text) "[image_layer_encode_sequence] " text
    FAILS(images->image_layer_encode_sequence(NULL, commands, 1, s, d, NULL, 0, false, NULL, error),
          TEXT("layer: NULL, expected a pointer"));
    FAILS(images->image_layer_encode_sequence(layer, NULL, 1, s, d, NULL, 0, false, NULL, error),
          TEXT("command_buffer: NULL, expected a pointer"));
    FAILS(ENCODE(1, NULL, d, NULL, 0), TEXT("sources: NULL, expected a pointer"));
    FAILS(ENCODE(1, s, NULL, NULL, 0), TEXT("destinations: NULL, expected a pointer"));
    FAILS(ENCODE(0, s, d, NULL, 0), TEXT("steps: 0, expected at least 1"));
    FAILS(ENCODE(2, s, d, NULL, 3), TEXT("state_count: 3, expected 0, 1 or 2, the steps"));
    FAILS(ENCODE(2, bad, d, NULL, 0), TEXT("sources[1]: NULL, expected an image"));
    FAILS(ENCODE(1, bad + 1, d, NULL, 0), TEXT("sources[0]: NULL, expected an image"));
    FAILS(ENCODE(2, d, d, NULL, 0), TEXT("sources[0].feature_channels: 2, expected 3, the layer's input channels"));
    FAILS(ENCODE(2, s, s, NULL, 0),
          TEXT("destinations[0].feature_channels: 3, expected 2, the layer's output channels"));
    bad[0] = bad[1] = d[0];
    FAILS(ENCODE(2, s, bad, NULL, 0),
          TEXT("destinations[1]: shares memory with destinations[0], expected memory of its own"));
#define OTHER(field, value, text)                                                                                      \
    do {                                                                                                               \
        pymps_image_descriptor other = result;                                                                         \
        other.field = value;                                                                                           \
        bad[1] = make_image(other);                                                                                    \
        FAILS(ENCODE(2, s, bad, NULL, 0), TEXT("destinations[1]." text));                                              \
        images->image_release(bad[1]);                                                                                 \
    } while (0)
    OTHER(width, 6, "width: 6, expected 5, as in sources[0]");
    OTHER(height, 5, "height: 5, expected 4, as in sources[0]");
    OTHER(number_of_images, 2, "number_of_images: 2, expected 1, as in sources[0]");

    /* Temporary ones, here and of elsewhere. */
    REQUIRE(images->image_create_temporary(commands, &good, &bad[0], error));
    bad[1] = bad[0];
    FAILS(ENCODE(2, bad, d, NULL, 0),
          TEXT("sources[1]: the temporary image of sources[0], expected another for each step"));
    FAILS(images->image_layer_encode_sequence(layer, others, 1, bad, d, NULL, 0, false, NULL, error),
          TEXT("sources[0].command_buffer: another one, expected a temporary image of this one"));
    images->image_release(bad[0]);

    /* States: of another size, and what shows their memory. */
    REQUIRE(images->image_state_create(layer, WIDTH + 1, HEIGHT, 1, NULL, NULL, &state, error));
    FAILS(ENCODE(1, s, d, state, 0), TEXT("state: images of 6 x 4, expected 5 x 4"));
    api->state_release(state);
    REQUIRE(images->image_state_create(layer, WIDTH, HEIGHT, 1, NULL, NULL, &state, error));
    REQUIRE(images->image_state_image(state, 0, PYMPS_RECURRENT_OUTPUT, &bad[0], error));
    FAILS(ENCODE(1, s, bad, NULL, 0), TEXT("destinations[0]: of a state, expected one that can be written"));
    size_t offset_bytes;
    pymps_buffer *memory = images->image_buffer(bad[0], &offset_bytes);
    if (memory != NULL) {
        REQUIRE(images->image_create_in_buffer(memory, offset_bytes, &result, &bad[1], error));
        FAILS(ENCODE(1, s, bad + 1, state, 0),
              TEXT("destinations[0]: shares memory with state, expected memory of its own"));
        images->image_release(bad[1]);
        api->buffer_release(memory);
    }
    images->image_release(bad[0]);

    FAILS(images->image_layer_encode_bidirectional_sequence(layer, commands, 1, s, d, NULL, PYMPS_COMBINE_NONE, error),
          "[image_layer_encode_bidirectional_sequence] layer: a stack without both directions from the same input "
          "channels, expected forward and backward layers");
    REQUIRE(ENCODE(2, s, d, state, 2)); /* nothing of all that is left */
    finish(commands);
    commands = others;
    REQUIRE(api->command_buffer_commit(commands, error));
    FAILS(ENCODE(1, s, d, state, 0), TEXT("command_buffer: already committed, expected to encode before"));
    api->command_buffer_release(others);
    for (int i = 0; i < 2; i++) {
        api->state_release(states[i]);
        images->image_release(s[i]);
        images->image_release(d[i]);
    }
    api->state_release(state);
    api->layer_release(layer);
}

static void test_all(void) {
    device = open_device();
    images = api->images;
    test_descriptors();
    test_buffers();
    test_access();
    test_layers();
    test_kinds();
    test_states();
    test_sequences();
    api->device_release(device);
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
