/* The C interface: images and layers of images, against a double precision transcription. */
#include "pymps_cells.h"
#include "pymps_image.h"

enum { WIDTH = 5, HEIGHT = 4, IMAGES = 2, INPUTS = 3, OUTPUTS = 2, STEPS = 3, KERNEL_WIDTH = 3, KERNEL_HEIGHT = 2 };
enum { PIXELS = IMAGES * HEIGHT * WIDTH, X_COUNT = PIXELS * INPUTS, Y_COUNT = PIXELS * OUTPUTS };

static pymps_device *device;
static const pymps_image_functions *images;
static float *w, *u, *b, *x; /* of a simple RNN: a kernel on x, 1 x 1 on h */
static double expected[STEPS][Y_COUNT];

static pymps_descriptor *describe(void) {
    pymps_descriptor *descriptor;
    REQUIRE(api->single_gate_descriptor_create(INPUTS, OUTPUTS, &descriptor, error));
    pymps_weights weights = float_weights(w, OUTPUTS, INPUTS, b, TANH);
    weights.kernel_width = KERNEL_WIDTH;
    weights.kernel_height = KERNEL_HEIGHT;
    REQUIRE(api->descriptor_set_weights(descriptor, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &weights, error));
    weights = float_weights(u, OUTPUTS, OUTPUTS, NULL, 0);
    REQUIRE(api->descriptor_set_weights(descriptor, PYMPS_SINGLE_GATE_RECURRENT_WEIGHTS, &weights, error));
    return descriptor;
}

static double convolved(const float *numbers, int image, int row, int column, int output) {
    double sum = 0;
    for (int i = 0; i < KERNEL_HEIGHT; i++)
        for (int j = 0; j < KERNEL_WIDTH; j++) {
            int y_there = row + i - KERNEL_HEIGHT / 2, x_there = column + j - KERNEL_WIDTH / 2;
            if (y_there < 0 || y_there >= HEIGHT || x_there < 0 || x_there >= WIDTH)
                continue;
            for (int c = 0; c < INPUTS; c++)
                sum += (double)w[((output * KERNEL_HEIGHT + i) * KERNEL_WIDTH + j) * INPUTS + c] *
                       numbers[((image * HEIGHT + y_there) * WIDTH + x_there) * INPUTS + c];
        }
    return sum;
}

static void transcribe(void) {
    for (int step = 0; step < STEPS; step++)
        for (int pixel = 0; pixel < PIXELS; pixel++)
            for (int output = 0; output < OUTPUTS; output++) {
                double sum = b[output] + convolved(x + step * X_COUNT, pixel / (HEIGHT * WIDTH), pixel / WIDTH % HEIGHT,
                                                   pixel % WIDTH, output);
                for (int c = 0; c < OUTPUTS && step > 0; c++)
                    sum += u[output * OUTPUTS + c] * expected[step - 1][pixel * OUTPUTS + c];
                expected[step][pixel * OUTPUTS + output] = tanh(sum);
            }
}

static void check_numbers(const float *came, int step, const char *what) {
    double error = difference(came, expected[step], Y_COUNT);
    CHECK(error < 1e-6, "%s, step %d: off by %g", what, step, error);
}

static pymps_image_descriptor describe_image(size_t channels, pymps_channel_format format) {
    return (pymps_image_descriptor){WIDTH, HEIGHT, channels, IMAGES, format};
}

static pymps_image *make_image(size_t channels, const float *numbers) {
    pymps_image_descriptor descriptor = describe_image(channels, PYMPS_CHANNELS_FLOAT32);
    pymps_image *image;
    REQUIRE(images->image_create(device, &descriptor, &image, error));
    if (numbers != NULL)
        REQUIRE(images->image_write(device, image, PYMPS_ALL_IMAGES, PYMPS_HEIGHT_WIDTH_CHANNELS, numbers, error));
    return image;
}

/* ---- Images alone ---- */

static void test_layouts(void) {
    float came[X_COUNT], turned[X_COUNT];
    pymps_image *image = make_image(INPUTS, x);
    REQUIRE(images->image_read(device, image, PYMPS_ALL_IMAGES, PYMPS_CHANNELS_HEIGHT_WIDTH, turned, error));
    bool same = true;
    for (int pixel = 0; pixel < PIXELS; pixel++)
        for (int c = 0; c < INPUTS; c++)
            same =
                same && turned[(pixel / (HEIGHT * WIDTH) * INPUTS + c) * HEIGHT * WIDTH + pixel % (HEIGHT * WIDTH)] ==
                            x[pixel * INPUTS + c];
    CHECK(same, "not turned around");
    enum { ONE = X_COUNT / IMAGES };
    REQUIRE(images->image_write(device, image, 1, PYMPS_CHANNELS_HEIGHT_WIDTH, turned, error));
    REQUIRE(images->image_read(device, image, 1, PYMPS_HEIGHT_WIDTH_CHANNELS, came, error));
    CHECK(memcmp(came, x, ONE * sizeof *came) == 0, "image 1 is not what image 0 was");
    REQUIRE(images->image_read(device, image, 0, PYMPS_HEIGHT_WIDTH_CHANNELS, came, error));
    CHECK(memcmp(came, x, ONE * sizeof *came) == 0, "image 0 has changed");
    images->image_release(image);

    image = make_image(INPUTS, NULL);
    REQUIRE(images->image_read(device, image, PYMPS_ALL_IMAGES, PYMPS_HEIGHT_WIDTH_CHANNELS, came, error));
    for (int i = 0; i < X_COUNT; i++)
        CHECK(came[i] == 0, "%g", (double)came[i]);
    images->image_release(image);
}

static void test_buffers(void) {
    pymps_device_info info;
    api->device_info(device, &info);
    pymps_buffer *buffer = make_buffer(device, (X_COUNT + 4) * sizeof(float), PYMPS_STORAGE_SHARED);
    float *contents = api->buffer_contents(buffer), came[X_COUNT];
    memcpy(contents + 1, x, X_COUNT * sizeof *x);
    pymps_image_descriptor descriptor = describe_image(INPUTS, PYMPS_CHANNELS_FLOAT32), told;
    pymps_image *image;
    pymps_error error = {0};
    pymps_status status = images->image_create_in_buffer(buffer, sizeof(float), &descriptor, &image, &error);
    CHECK((status == PYMPS_OK) == info.has_linear_images, "status %d", status);
    if (status == PYMPS_OK) {
        images->image_descriptor(image, &told);
        CHECK(told.width == WIDTH && told.height == HEIGHT && told.feature_channels == INPUTS &&
                  told.number_of_images == IMAGES && told.channel_format == PYMPS_CHANNELS_FLOAT32,
              "%zu x %zu", told.width, told.height);
        size_t offset_bytes;
        pymps_buffer *same = images->image_buffer(image, &offset_bytes);
        CHECK(api->buffer_contents(same) == contents && offset_bytes == sizeof(float), "%zu", offset_bytes);
        api->buffer_release(same);
        api->buffer_release(buffer);
        REQUIRE(images->image_read(device, image, PYMPS_ALL_IMAGES, PYMPS_HEIGHT_WIDTH_CHANNELS, came, error));
        CHECK(memcmp(came, x, sizeof came) == 0, "differ");
        REQUIRE(images->image_write(device, image, PYMPS_ALL_IMAGES, PYMPS_HEIGHT_WIDTH_CHANNELS, x + 1, error));
        CHECK(memcmp(contents + 1, x + 1, sizeof came) == 0, "the memory is not the buffer's");
        images->image_release(image);
    } else {
        CHECK(status == PYMPS_ERROR_DEVICE, "status %d", status);
        api->buffer_release(buffer);
    }
}

/* ---- Layers ---- */

static void test_sequence(pymps_layer *layer) {
    pymps_image *sources[STEPS], *destinations[STEPS], *output;
    pymps_state *states[STEPS];
    for (int step = 0; step < STEPS; step++) {
        sources[step] = make_image(INPUTS, x + step * X_COUNT);
        destinations[step] = make_image(OUTPUTS, NULL);
    }
    pymps_command_buffer *commands = make_command_buffer(device);
    REQUIRE(images->image_layer_encode_sequence(layer, commands, STEPS, sources, destinations, NULL, STEPS, false,
                                                states, error));
    REQUIRE(images->command_buffer_synchronize_image(commands, destinations[0], error));
    finish(commands);
    float came[Y_COUNT];
    for (int step = 0; step < STEPS; step++) {
        REQUIRE(images->image_read(device, destinations[step], PYMPS_ALL_IMAGES, 0, came, error));
        check_numbers(came, step, "y");
        REQUIRE(images->image_state_image(states[step], 0, PYMPS_RECURRENT_OUTPUT, &output, error));
        api->state_release(states[step]);
        REQUIRE(images->image_read(device, output, PYMPS_ALL_IMAGES, 0, came, error));
        check_numbers(came, step, "h");
        images->image_release(output);
        images->image_release(sources[step]);
        images->image_release(destinations[step]);
    }
}

/* Each step on a command buffer of its own, from a state of given values, by way of a temporary image to a copy. */
static void test_states(pymps_layer *layer) {
    float h[Y_COUNT] = {0}, came[Y_COUNT];
    for (int step = 0; step < STEPS; step++) {
        const float *given[] = {h};
        pymps_state *state;
        REQUIRE(
            images->image_state_create(layer, WIDTH, HEIGHT, IMAGES, step == 0 ? NULL : given, NULL, &state, error));
        pymps_image *source = make_image(INPUTS, x + step * X_COUNT), *destination = make_image(OUTPUTS, NULL);
        pymps_command_buffer *commands = make_command_buffer(device);
        REQUIRE(images->image_layer_encode_sequence(layer, commands, 1, &source, &destination, state, 0, false, NULL,
                                                    error));
        api->state_release(state);
        finish(commands);
        REQUIRE(images->image_read(device, destination, PYMPS_ALL_IMAGES, 0, came, error));
        check_numbers(came, step, "from a given state");
        memcpy(h, came, sizeof h);
        images->image_release(source);
        images->image_release(destination);
    }
}

static void test_stream(pymps_layer *layer) {
    pymps_stream *stream;
    pymps_matrix source, destination;
    REQUIRE(images->image_stream_create(layer, WIDTH, HEIGHT, IMAGES, &stream, error));
    api->stream_source(stream, &source);
    api->stream_destination(stream, &destination);
    CHECK(source.rows == PIXELS && source.columns == INPUTS && destination.columns == OUTPUTS, "%zu", source.rows);
    for (int round = 0; round < 2; round++) {
        for (int step = 0; step < STEPS; step++) {
            memcpy(api->buffer_contents(source.buffer), x + step * X_COUNT, X_COUNT * sizeof *x);
            REQUIRE(api->stream_step(stream, error));
            check_numbers(api->buffer_contents(destination.buffer), step, "stream");
        }
        pymps_state *state = api->stream_state(stream);
        CHECK(state != NULL && !api->state_is_temporary(state), "no state");
        REQUIRE(api->stream_set_state(stream, state, error));
        api->state_release(state);
        REQUIRE(api->stream_set_state(stream, NULL, error));
    }
    api->stream_release(stream);
}

/* The image between two layers: nobody sees it. */
static void test_temporary(pymps_layer *layer) {
    pymps_descriptor *descriptor;
    pymps_layer *sum;
    const float ones[OUTPUTS] = {1, 1};
    REQUIRE(api->single_gate_descriptor_create(OUTPUTS, 1, &descriptor, error));
    pymps_weights weights = float_weights(ones, 1, OUTPUTS, NULL, 0);
    REQUIRE(api->descriptor_set_weights(descriptor, PYMPS_SINGLE_GATE_INPUT_WEIGHTS, &weights, error));
    REQUIRE(images->image_layer_create(device, &descriptor, 1, &sum, error));
    api->descriptor_release(descriptor);
    pymps_image_descriptor between = describe_image(OUTPUTS, PYMPS_CHANNELS_FLOAT32);
    pymps_command_buffer *commands = make_command_buffer(device);
    pymps_image *source = make_image(INPUTS, x), *destination = make_image(1, NULL), *temporary;
    REQUIRE(images->image_create_temporary(commands, &between, &temporary, error));
    CHECK(images->image_is_temporary(temporary) && images->image_read_count(temporary) == 1, "not temporary");
    REQUIRE(images->image_set_read_count(temporary, 2, error));
    REQUIRE(images->image_layer_encode_sequence(layer, commands, 1, &source, &temporary, NULL, 0, false, NULL, error));
    for (size_t left = 2; left-- > 0;) {
        REQUIRE(images->image_layer_encode_sequence(sum, commands, 1, &temporary, &destination, NULL, 0, false, NULL,
                                                    error));
        CHECK(images->image_read_count(temporary) == left, "%zu", images->image_read_count(temporary));
    }
    FAILS(images->image_layer_encode_sequence(sum, commands, 1, &temporary, &destination, NULL, 0, false, NULL, error),
          "[image_layer_encode_sequence] sources[0].read_count: 0, expected at least 1");
    finish(commands);
    float came[PIXELS];
    REQUIRE(images->image_read(device, destination, PYMPS_ALL_IMAGES, 0, came, error));
    for (int pixel = 0; pixel < PIXELS; pixel++) {
        double wanted = expected[0][pixel * OUTPUTS] + expected[0][pixel * OUTPUTS + 1];
        CHECK(fabs(came[pixel] - wanted) < 2e-6, "pixel %d: %g, expected %g", pixel, (double)came[pixel], wanted);
    }
    images->image_release(source);
    images->image_release(destination);
    images->image_release(temporary);
    api->layer_release(sum);
}

static void append(void *context, const void *data, size_t length) {
    FILE *file = context;
    fwrite(data, 1, length, file);
}

static void test_archive(pymps_layer *layer) {
    char *data;
    size_t length;
    FILE *file = open_memstream(&data, &length);
    REQUIRE(api->layer_archive(layer, append, file, error));
    fclose(file);
    pymps_layer *back;
    REQUIRE(images->image_layer_unarchive(device, data, length, &back, error));
    pymps_layer_info info;
    api->layer_info(back, &info);
    CHECK(info.takes_images && info.input_feature_channels == INPUTS && info.number_of_layers == 1, "another layer");
    test_sequence(back);
    api->layer_release(back);
    FAILS(api->layer_unarchive(device, data, length, &back, error),
          "[layer_unarchive] data: the archive of a layer of images, expected one of matrices");
    free(data);
}

static void test_all(void) {
    device = open_device();
    images = api->images;
    uint32_t seed = 71;
    w = random_numbers(OUTPUTS * KERNEL_HEIGHT * KERNEL_WIDTH * INPUTS, &seed);
    u = random_numbers(OUTPUTS * OUTPUTS, &seed);
    b = random_numbers(OUTPUTS, &seed);
    x = random_numbers(STEPS * X_COUNT + 1, &seed);
    transcribe();
    test_layouts();
    test_buffers();
    pymps_descriptor *descriptor = describe();
    pymps_layer *layer, *copy;
    REQUIRE(images->image_layer_create(device, &descriptor, 1, &layer, error));
    api->descriptor_release(descriptor);
    REQUIRE(api->layer_copy(layer, &copy, error));
    test_sequence(layer);
    test_sequence(copy);
    api->layer_release(copy);
    test_states(layer);
    test_stream(layer);
    test_temporary(layer);
    test_archive(layer);
    api->layer_release(layer);
    free(w);
    free(u);
    free(b);
    free(x);
    api->device_release(device);
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
