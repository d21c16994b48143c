/* The C interface: layers as bytes and back, and what damaged bytes are told. */
#include "pymps_cells.h"

enum { STEPS = 4, HEAD_BYTES = 48 };

static pymps_device *device;

typedef struct bytes {
    uint8_t *data;
    size_t length;
} bytes;

static void append(void *context, const void *data, size_t length) {
    bytes *bytes = context;
    bytes->data = realloc(bytes->data, bytes->length + length);
    memcpy(bytes->data + bytes->length, data, length);
    bytes->length += length;
}

static bytes archive(pymps_layer *layer) {
    bytes made = {0};
    REQUIRE(api->layer_archive(layer, append, &made, error));
    return made;
}

/* The layer that comes back has the same shape, gives the same numbers, and archives to a layer that does so too. */
static void check_layer(pymps_descriptor *const *descriptors, size_t count) {
    pymps_layer *layer = make_layer(device, descriptors, count);
    pymps_layer_info info, info_back;
    api->layer_info(layer, &info);
    uint32_t seed = 61;
    float *x = random_numbers(STEPS * info.input_feature_channels, &seed), *expected = NULL;
    if (info.runs_sequence)
        expected = run_layer(device, layer, STEPS, x);
    for (int round = 0; round < 2; round++) {
        bytes made = archive(layer);
        api->layer_release(layer);
        REQUIRE(api->layer_unarchive(device, made.data, made.length, &layer, error));
        memset(made.data, 0xee, made.length);
        free(made.data);
        api->layer_info(layer, &info_back);
        CHECK(info_back.input_feature_channels == info.input_feature_channels &&
                  info_back.output_feature_channels == info.output_feature_channels &&
                  info_back.number_of_layers == count && info_back.runs_sequence == info.runs_sequence &&
                  info_back.runs_bidirectional_sequence == info.runs_bidirectional_sequence &&
                  info_back.forward_output_feature_channels == info.forward_output_feature_channels &&
                  info_back.backward_output_feature_channels == info.backward_output_feature_channels,
              "%zu to %zu channels", info_back.input_feature_channels, info_back.output_feature_channels);
        if (expected == NULL)
            continue;
        float *y = run_layer(device, layer, STEPS, x);
        CHECK(memcmp(y, expected, STEPS * info.output_feature_channels * sizeof *y) == 0, "round %d", round);
        free(y);
    }
    free(x);
    free(expected);
    api->layer_release(layer);
    for (size_t i = 0; i < count; i++)
        api->descriptor_release(descriptors[i]);
}

static void test_kinds(void) {
    rnn rnn = rnn_create(3, 3, 62);
    gru gru = gru_create(3, 4, 2, true, 63);
    lstm lstms[] = {lstm_create(4, 5, MEMORY_DIAGONAL, 64), lstm_create(4, 5, MEMORY_FULL, 65),
                    lstm_create(4, 4, MEMORY_NONE, 66)};
    lstms[2].unit_input = true;
    check_layer((pymps_descriptor *[]){rnn_describe(&rnn, PYMPS_SEQUENCE_FORWARD), gru_describe(&gru),
                                       lstm_describe(&lstms[0], false)},
                3);
    check_layer((pymps_descriptor *[]){lstm_describe(&lstms[1], true)}, 1);
    check_layer((pymps_descriptor *[]){lstm_describe(&lstms[2], false)}, 1);
    check_layer((pymps_descriptor *[]){gru_describe(&gru), rnn_describe(&rnn, PYMPS_SEQUENCE_BACKWARD)}, 2);
    for (int i = 0; i < 3; i++)
        lstm_destroy(&lstms[i]);
    rnn_destroy(&rnn);
    gru_destroy(&gru);
}

static void check_damaged(const bytes *bytes, const char *what, size_t place) {
    pymps_layer *layer = NULL;
    pymps_error error = {0};
    pymps_status status = api->layer_unarchive(device, bytes->data, bytes->length, &layer, &error);
    bool is_clear = status == PYMPS_ERROR_ARGUMENT && error.status == status &&
                    strncmp(error.text, "[layer_unarchive] ", 18) == 0 && layer == NULL;
    CHECK(is_clear, "%s at %zu: status %d: '%s'", what, place, status, error.text);
}

/* Every byte changed, and every shorter length. */
static void test_damage(void) {
    rnn rnn = rnn_create(2, 2, 67);
    pymps_descriptor *descriptor = rnn_describe(&rnn, PYMPS_SEQUENCE_FORWARD);
    pymps_layer *layer = make_layer(device, &descriptor, 1);
    bytes good = archive(layer), bad = {malloc(good.length + 1), good.length};
    for (size_t i = 0; i < good.length; i++) {
        memcpy(bad.data, good.data, good.length);
        bad.data[i] ^= 0x10;
        bad.length = good.length;
        check_damaged(&bad, "changed", i);
        memcpy(bad.data, good.data, good.length);
        bad.length = i;
        check_damaged(&bad, "cut", i);
    }
    bad.length = good.length + 1;
    bad.data[good.length] = 0;
    check_damaged(&bad, "longer", good.length);
    free(good.data);
    free(bad.data);
    api->layer_release(layer);
    api->descriptor_release(descriptor);
    rnn_destroy(&rnn);
}

/* Of all but the checksum itself, which ends the head. */
static uint64_t checksum_of(const bytes *bytes) {
    uint64_t checksum = 0xcbf29ce484222325;
    for (size_t i = 0; i < bytes->length; i++)
        if (i < HEAD_BYTES - sizeof checksum || i >= HEAD_BYTES)
            checksum = (checksum ^ bytes->data[i]) * 0x100000001b3;
    return checksum;
}

/* A shape that no layer has, or not this one, behind a checksum that fits. */
static void test_shape(void) {
    rnn rnn = rnn_create(2, 3, 68);
    pymps_descriptor *descriptor = rnn_describe(&rnn, PYMPS_SEQUENCE_FORWARD);
    pymps_layer *layer = make_layer(device, &descriptor, 1), *none = NULL;
    bytes good = archive(layer);
    const struct {
        size_t number;
        uint64_t value;
        const char *text;
    } changes[] = {
        {0, 0, "data: damaged, layer 0 has no possible shape"},
        {1, 0, "data: damaged, layer 0 has no possible shape"},
        {2, 2, "data: damaged, layer 0 has no possible shape"},
        {0, 3, "data: damaged, the layer has another shape than its head says"},
        {1, UINT64_MAX, "data: damaged, the layer has another shape than its head says"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        uint8_t *place = good.data + HEAD_BYTES + changes[i].number * sizeof changes[i].value;
        uint64_t before, checksum;
        memcpy(&before, place, sizeof before);
        memcpy(place, &changes[i].value, sizeof before);
        checksum = checksum_of(&good);
        memcpy(good.data + HEAD_BYTES - sizeof checksum, &checksum, sizeof checksum);
        FAILS(api->layer_unarchive(device, good.data, good.length, &none, error), "[layer_unarchive] %s",
              changes[i].text);
        memcpy(place, &before, sizeof before);
    }
    free(good.data);
    api->layer_release(layer);
    api->descriptor_release(descriptor);
    rnn_destroy(&rnn);
}

static void test_errors(void) {
    rnn rnn = rnn_create(2, 3, 69);
    pymps_descriptor *descriptor = rnn_describe(&rnn, PYMPS_SEQUENCE_FORWARD);
    pymps_layer *layer = make_layer(device, &descriptor, 1), *none = NULL;
    bytes good = archive(layer);
    FAILS(api->layer_archive(NULL, append, &good, error), "[layer_archive] layer: NULL, expected a pointer");
    FAILS(api->layer_archive(layer, NULL, &good, error), "[layer_archive] write: NULL, expected a pointer");
#define UNARCHIVE(length) api->layer_unarchive(device, good.data, length, &none, error)
    FAILS(api->layer_unarchive(NULL, good.data, good.length, &none, error),
          "[layer_unarchive] device: NULL, expected a pointer");
    FAILS(api->layer_unarchive(device, NULL, good.length, &none, error),
          "[layer_unarchive] data: NULL, expected a pointer");
    FAILS(api->layer_unarchive(device, good.data, good.length, NULL, error),
          "[layer_unarchive] layer: NULL, expected a pointer");
    FAILS(UNARCHIVE(0), "[layer_unarchive] data: 0 bytes, expected at least 48, the head of an archive");
    FAILS(UNARCHIVE(good.length - 1),
          "[layer_unarchive] data: %zu bytes, not the length of the archive, which is damaged", good.length - 1);
    good.data[good.length - 1] ^= 1;
    FAILS(UNARCHIVE(good.length), "[layer_unarchive] data: damaged, the checksum differs");
    good.data[16] ^= 1;
    FAILS(UNARCHIVE(good.length), "[layer_unarchive] data: archived by backend %c%s, expected %s", api->name[0] ^ 1,
          api->name + 1, api->name);
    good.data[8] = 9;
    FAILS(UNARCHIVE(good.length), "[layer_unarchive] data: archive version 9, expected 1");
    good.data[0] = 'P';
    FAILS(UNARCHIVE(good.length), "[layer_unarchive] data: not the archive of a layer");
#undef UNARCHIVE
    free(good.data);
    api->layer_release(layer);
    api->descriptor_release(descriptor);
    rnn_destroy(&rnn);
}

static void test_all(void) {
    device = open_device();
    test_kinds();
    test_damage();
    test_shape();
    test_errors();
    api->device_release(device);
}

int main(void) {
    for_each_backend(test_all);
    return report();
}
