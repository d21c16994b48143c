// What the files share that deal with images.
#import "layers.h"

// clang-format off
#define PMP_IMAGE_FUNCTIONS(X)                                                                                         \
    X(image_create) X(image_create_in_buffer) X(image_create_temporary) X(image_release) X(image_descriptor)           \
    X(image_buffer) X(image_is_temporary) X(image_read_count) X(image_set_read_count) X(image_read) X(image_write)     \
    X(command_buffer_synchronize_image)                                                                                \
    X(image_layer_create) X(image_layer_unarchive) X(image_layer_encode_sequence)                                      \
    X(image_layer_encode_bidirectional_sequence) X(image_state_create) X(image_state_image) X(image_stream_create)
// clang-format on

#define PMP_DECLARE_IMAGE(name) extern __typeof__(*((pymps_image_functions *)NULL)->name) name PMP_BACKEND_SYMBOL(name);
PMP_IMAGE_FUNCTIONS(PMP_DECLARE_IMAGE)

/// What images have beyond Apple's where they can lie in a buffer, one pixel behind the other.
@protocol PMPLinearImage <NSObject>
@optional
/// The texture's `buffer` and `bufferOffset` say so.
- (instancetype)initWithBuffer:(id<MTLBuffer>)buffer
                        offset:(NSUInteger)offset
               imageDescriptor:(const MPSImageDescriptor *)descriptor;
@end

struct pymps_image { // owned by its creator; what is encoded retains the texture
    MPSImage *image;
    pymps_image_descriptor descriptor;
    id<MTLBuffer> buffer; // a shared one in which it lies, from offset_bytes on; nil: none
    size_t offset_bytes;
    uintptr_t start, end;                // its memory as the CPU sees it; else what stands for it alone
    bool is_of_state;                    // constant
    id<MTLCommandBuffer> command_buffer; // that a temporary image lives on; else nil
};

bool pmp_images_are_linear(void) PMP_BACKEND_SYMBOL(pmp_images_are_linear);

/// Checks that a device of this kind can have such an image.
pymps_status pmp_image_check(const pmp_call *call, const pymps_image_descriptor *descriptor, id<MTLDevice> device)
    PMP_BACKEND_SYMBOL(pmp_image_check);
/// From the first element to the end of the last. No overflow once pmp_image_check has passed.
size_t pmp_image_bytes(const pymps_image_descriptor *descriptor) PMP_BACKEND_SYMBOL(pmp_image_bytes);
/// An image (autoreleased) that the CPU sees.
pymps_status pmp_image_make(const pmp_call *call, id<MTLDevice> device, const pymps_image_descriptor *descriptor,
                            MPSImage **made) PMP_BACKEND_SYMBOL(pmp_image_make);
/// An image (autoreleased) in a buffer; the device has linear images, and it fits.
MPSImage *pmp_image_in_buffer(id<MTLBuffer> buffer, size_t offset_bytes, const pymps_image_descriptor *descriptor)
    PMP_BACKEND_SYMBOL(pmp_image_in_buffer);
pymps_image_descriptor pmp_image_descriptor_of(MPSImage *image) PMP_BACKEND_SYMBOL(pmp_image_descriptor_of);
/// A handle to an image, which it retains; NULL when memory runs out. `command_buffer`: of a temporary one, else nil.
pymps_image *pmp_image_handle(MPSImage *image, id<MTLCommandBuffer> command_buffer)
    PMP_BACKEND_SYMBOL(pmp_image_handle);
/// What a handle to an image that is not temporary says of it. Retains nothing.
pymps_image pmp_image_view(MPSImage *image) PMP_BACKEND_SYMBOL(pmp_image_view);
static inline bool pmp_images_overlap(const pymps_image *a, const pymps_image *b) {
    return a->start < b->end && b->start < a->end;
}

/// All elements of an image that the CPU sees, [number_of_images][height][width][feature_channels].
void pmp_image_set(MPSImage *image, const void *elements) PMP_BACKEND_SYMBOL(pmp_image_set);
void pmp_image_get(MPSImage *image, void *elements) PMP_BACKEND_SYMBOL(pmp_image_get);
/// Lets the CPU see what was encoded before.
void pmp_image_synchronize(MPSImage *image, id<MTLCommandBuffer> command_buffer)
    PMP_BACKEND_SYMBOL(pmp_image_synchronize);
/// Overwrites an image in storage of any mode with `elements`; NULL: with zeros.
pymps_status pmp_image_overwrite(const pmp_call *call, pymps_device *device, MPSImage *image, const void *elements)
    PMP_BACKEND_SYMBOL(pmp_image_overwrite);

/// The extent of images, after checking that all that MPS makes for them fits the device.
pymps_status pmp_image_extent(const pmp_call *call, const pymps_layer *layer, size_t width, size_t height,
                              size_t number_of_images, pmp_extent *extent) PMP_BACKEND_SYMBOL(pmp_image_extent);
/// h or c of one layer of a stack of images; nil: it has none.
MPSImage *pmp_state_image(const pymps_state *state, size_t layer_index, pymps_state_matrix which)
    PMP_BACKEND_SYMBOL(pmp_state_image);
