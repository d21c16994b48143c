// Archives of layers: what MPS's own coding makes of a layer, behind a head that says what it is and of which shape,
// since an MPS layer tells of its stack no more than the first and the last channels.
#import "layers.h"
#include <string.h>

enum { magic_bytes = 8 };
static const char matrix_magic[] = "pympslyr", image_magic[] = "pympsimg";
enum { archive_version = 1 };

typedef struct archive_head { // in the order of a little-endian machine's bytes
    char magic[magic_bytes];
    uint32_t version, layer_count;
    char backend[16];
    uint64_t payload_bytes;
    uint64_t checksum; // of what stands before it and of what follows: archive_layer[layer_count], then the payload
} archive_head;

typedef struct archive_layer {
    uint64_t inputs, outputs, direction;
} archive_layer;

_Static_assert(sizeof(archive_head) == 48 && sizeof(archive_layer) == 24, "an archive has no padding");

// 64-bit FNV-1a, continued.
static uint64_t add_to_checksum(uint64_t checksum, const void *bytes, size_t length) {
    for (size_t index = 0; index < length; index++)
        checksum = (checksum ^ ((const uint8_t *)bytes)[index]) * 0x100000001b3;
    return checksum;
}

static uint64_t checksum_of(const archive_head *head) {
    return add_to_checksum(0xcbf29ce484222325, head, offsetof(archive_head, checksum));
}

// ---- Writing ----

static NSData *shapes_of(const pmp_stack *stack) {
    NSMutableData *data = [NSMutableData dataWithLength:stack->info.number_of_layers * sizeof(archive_layer)];
    archive_layer *layers = data.mutableBytes;
    for (size_t index = 0; index < stack->info.number_of_layers; index++) {
        const pmp_stack_layer *layer = &stack->layers[index];
        layers[index] = (archive_layer){layer->inputs, layer->outputs, layer->direction};
    }
    return data;
}

// What comes back is autoreleased.
static pymps_status write_object(const pmp_call *call, pymps_layer *layer, NSData **payload) {
    __block NSData *made = nil;
    __block NSError *error = nil;
    NSString *reason;
    @try {
        pmp_layer_with_lock(layer, ^{
            // NO: the reading side insists on it. Here GNUstep's own collections would not pass.
            made = [NSKeyedArchiver archivedDataWithRootObject:layer->layer requiringSecureCoding:NO error:&error];
        });
        reason = error.localizedDescription;
    } @catch (NSException *exception) {
        if ([exception.name isEqualToString:NSMallocException])
            @throw;
        reason = exception.reason;
    }
    if (made == nil)
        return pmp_fail(call, PYMPS_ERROR_DEVICE, 0, "the device can't archive the layer: %s", pmp_utf8(reason));
    *payload = made;
    return PYMPS_OK;
}

pymps_status layer_archive(pymps_layer *layer, void (*write)(void *context, const void *bytes, size_t length),
                           void *context, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        PMP_CHECK_NOT_NULL(layer, call);
        PMP_CHECK_NOT_NULL(write, call);
        NSData *payload;
        PMP_TRY(write_object(call, layer, &payload));
        NSData *layers = shapes_of(layer->stack);
        archive_head head = {
            .version = archive_version,
            .layer_count = (uint32_t)layer->stack->info.number_of_layers,
            .payload_bytes = payload.length,
        };
        memcpy(head.magic, layer->stack->info.takes_images ? image_magic : matrix_magic, sizeof head.magic);
        pmp_copy_utf8(head.backend, sizeof head.backend, backend.name);
        head.checksum = add_to_checksum(checksum_of(&head), layers.bytes, layers.length);
        head.checksum = add_to_checksum(head.checksum, payload.bytes, payload.length);
        write(context, &head, sizeof head);
        write(context, layers.bytes, layers.length);
        write(context, payload.bytes, payload.length);
        return PYMPS_OK;
    });
}

// ---- Reading ----

// `head` becomes a copy of the archive's. When this has passed, its sizes are those of the archive.
static pymps_status check_head(const pmp_call *call, const void *data, size_t length, bool takes_images,
                               archive_head *head) {
    PMP_CHECK(length >= sizeof *head, call, "data: %zu bytes, expected at least %zu, the head of an archive", length,
              sizeof *head);
    memcpy(head, data, sizeof *head);
    bool is_of_matrices = memcmp(head->magic, matrix_magic, sizeof head->magic) == 0;
    PMP_CHECK(is_of_matrices || memcmp(head->magic, image_magic, sizeof head->magic) == 0, call,
              "data: not the archive of a layer");
    PMP_CHECK(is_of_matrices != takes_images, call, "data: the archive of a layer of %s, expected one of %s",
              is_of_matrices ? "matrices" : "images", is_of_matrices ? "images" : "matrices");
    PMP_CHECK(head->version == archive_version, call, "data: archive version %u, expected %d", head->version,
              archive_version);
    PMP_CHECK(strncmp(head->backend, backend.name, sizeof head->backend) == 0, call,
              "data: archived by backend %.*s, expected %s", (int)sizeof head->backend, head->backend, backend.name);
    size_t rest = length - sizeof *head;
    size_t layers_bytes = pmp_product(head->layer_count, sizeof(archive_layer));
    PMP_CHECK(head->layer_count >= 1 && layers_bytes <= rest && head->payload_bytes == rest - layers_bytes, call,
              "data: %zu bytes, not the length of the archive, which is damaged", length);
    PMP_CHECK(add_to_checksum(checksum_of(head), (const char *)data + sizeof *head, rest) == head->checksum, call,
              "data: damaged, the checksum differs");
    return PYMPS_OK;
}

// `layers` becomes the shapes, in autoreleased memory.
static pymps_status read_shapes(const pmp_call *call, const char *bytes, size_t count, const pmp_stack_layer **layers) {
    NSMutableData *data = [NSMutableData dataWithLength:count * sizeof(pmp_stack_layer)];
    pmp_stack_layer *shapes = data.mutableBytes;
    for (size_t index = 0; index < count; index++) {
        archive_layer layer;
        memcpy(&layer, bytes + index * sizeof layer, sizeof layer);
        PMP_CHECK(layer.inputs >= 1 && layer.outputs >= 1 && layer.direction <= PYMPS_SEQUENCE_BACKWARD, call,
                  "data: damaged, layer %zu has no possible shape", index);
        shapes[index] = (pmp_stack_layer){layer.inputs, layer.outputs, (pymps_sequence_direction)layer.direction};
    }
    *layers = shapes;
    pmp_call at_data = pmp_at(call, "data", PMP_NO_INDEX);
    return pmp_stack_check(&at_data, shapes, count);
}

static pymps_status read_object(const pmp_call *call, id<MTLDevice> device, NSData *payload, bool takes_images,
                                id<PMPInferenceLayer> *object) {
    NSError *reason = nil;
    @try {
        *object = [MPSKeyedUnarchiver unarchivedObjectOfClass:pmp_layer_class(takes_images)
                                                     fromData:payload
                                                       device:device
                                                        error:&reason];
    } @catch (NSException *exception) {
        if ([exception.name isEqualToString:NSMallocException])
            @throw;
        return pmp_fail(call, PYMPS_ERROR_ARGUMENT, 0, "data: damaged: %s", pmp_utf8(exception.reason));
    }
    PMP_CHECK(*object != nil, call, "data: damaged: %s", pmp_utf8(reason.localizedDescription));
    return PYMPS_OK;
}

static const char other_shape[] = "data: damaged, the layer has another shape than its head says";

static pymps_status check_ends(const pmp_call *call, id<PMPInferenceLayer> object, const pmp_stack_layer *layers,
                               size_t count) {
    bool fits = object.numberOfLayers == count && object.inputFeatureChannels == layers[0].inputs &&
                object.outputFeatureChannels == layers[count - 1].outputs;
    PMP_CHECK(fits, call, other_shape);
    return PYMPS_OK;
}

// What lies between the ends, only a state can tell.
static pymps_status check_states(const pmp_call *call, pymps_layer *layer) {
    const pmp_stack *stack = layer->stack;
    if (!stack->info.runs_sequence)
        return PYMPS_OK;
    size_t side = stack->info.takes_images ? 1 : 0;
    MPSState *state;
    PMP_TRY(pmp_state_make(call, layer, (pmp_extent){1, side, side}, &state));
    for (size_t index = 0; index < stack->info.number_of_layers; index++)
        PMP_CHECK(pmp_state_outputs(stack, state, index) == stack->layers[index].outputs, call, other_shape);
    return PYMPS_OK;
}

pymps_status pmp_layer_unarchive(const pmp_call *call, pymps_device *device, const void *data, size_t length,
                                 bool takes_images, pymps_layer **layer) {
    PMP_CHECK_NOT_NULL(device, call);
    PMP_CHECK_NOT_NULL(data, call);
    PMP_CHECK_NOT_NULL(layer, call);
    archive_head head;
    PMP_TRY(check_head(call, data, length, takes_images, &head));
    const char *place = (const char *)data + sizeof head;
    const pmp_stack_layer *layers;
    PMP_TRY(read_shapes(call, place, head.layer_count, &layers));
    NSData *payload = [NSData dataWithBytes:place + head.layer_count * sizeof(archive_layer) length:head.payload_bytes];
    id<PMPInferenceLayer> object;
    PMP_TRY(read_object(call, device->device, payload, takes_images, &object));
    PMP_TRY(check_ends(call, object, layers, head.layer_count));
    pmp_layer_use_team(object, device);
    pmp_stack *stack = pmp_stack_make(layers, head.layer_count, takes_images);
    pymps_layer *made;
    PMP_TRY(stack == NULL ? pmp_out_of_memory(call) : pmp_layer_handle(call, device, stack, object, &made));
    pymps_status status = PYMPS_ERROR_EXCEPTION;
    @try {
        status = check_states(call, made);
    } @finally {
        if (status == PYMPS_OK)
            *layer = made;
        else
            layer_release(made);
    }
    return status;
}

pymps_status layer_unarchive(pymps_device *device, const void *data, size_t length, pymps_layer **layer,
                             pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        return pmp_layer_unarchive(call, device, data, length, false, layer);
    });
}
