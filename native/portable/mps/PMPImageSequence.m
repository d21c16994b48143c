#import "PMPImageSequence.h"
#import "PMPImage.h"

static MPSImage *image_at(PMPImageSequence sequence, NSUInteger step) {
    return [sequence.images objectAtIndex:step];
}

static PMPImagePixels pixels_of(MPSImage *image) {
    PMPImagePixels pixels = PMPImagePixelsOf(image);
    if (pixels.data == NULL) {
        PMPRaiseOutOfMemory(image, @selector(texture), @"receiver: no memory for its %zu pixels", pixels.pixels);
    }
    return pixels;
}

static PMPMemoryRegion region_of(MPSImage *image) {
    PMPImagePixels pixels = pixels_of(image);
    return (PMPMemoryRegion){.start = (uintptr_t)pixels.data,
                             .rows = pixels.pixels,
                             .rowBytes = pixels.pixel_bytes,
                             .width = image->_featureChannels * PMPChannelFormatOf(image->_channelFormat).bytes};
}

/// "2 images of 5 x 3".
static NSString *size_of(MPSImage *image) {
    return [NSString stringWithFormat:@"%lu images of %lu x %lu", (unsigned long)image->_numberOfImages,
                                      (unsigned long)image->_width, (unsigned long)image->_height];
}

static bool have_same_size(MPSImage *a, MPSImage *b) {
    return a->_width == b->_width && a->_height == b->_height && a->_numberOfImages == b->_numberOfImages;
}

static void check_image(PMPImageSequence sequence, NSUInteger step, size_t channels, PMPEncoding encoding) {
    MPSImage *image = image_at(sequence, step);
    if (image->_featureChannels != channels) {
        PMPRaiseAtStep(encoding, sequence.name, step, @"%lu feature channels, expected %zu",
                       (unsigned long)image->_featureChannels, channels);
    }
    if (image->_device != encoding.kernel.device) {
        PMPRaiseAtStep(encoding, sequence.name, step, @"device %@, expected the kernel's", image->_device.name);
    }
    if (image->_isTemporary &&
        !PMPTemporaryIsUsable(&((MPSTemporaryImage *)image)->_temporary, encoding.commandBuffer)) {
        PMPRaiseAtStep(encoding, sequence.name, step,
                       @"a temporary image without reads left, or of another command buffer");
    }
    if (!have_same_size(image, image_at(sequence, 0))) {
        PMPRaiseAtStep(encoding, sequence.name, step, @"%@, expected the %@ of the first step", size_of(image),
                       size_of(image_at(sequence, 0)));
    }
}

void PMPImageSequenceCheck(PMPImageSequence sequence, size_t channels, PMPEncoding encoding) {
    if (sequence.images.count == 0) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector, @"%@: no image, expected at least one",
                                sequence.name);
    }
    for (NSUInteger step = 0; step < sequence.images.count; step++) {
        check_image(sequence, step, channels, encoding);
    }
}

/// From the first byte of a sequence to the last, as one row.
static PMPMemoryRegion hull_of(PMPImageSequence sequence) {
    uintptr_t start = UINTPTR_MAX, end = 0;
    for (MPSImage *image in sequence.images) {
        PMPMemoryRegion region = region_of(image);
        start = MIN(start, region.start);
        end = MAX(end, PMPMemoryRegionEnd(region));
    }
    return (PMPMemoryRegion){.start = start, .rows = 1, .rowBytes = end - start, .width = end - start};
}

void PMPImageSequenceCheckPair(PMPImageSequence sources, PMPImageSequence destinations, PMPEncoding encoding) {
    NSUInteger steps = sources.images.count;
    if (destinations.images.count != steps) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector, @"%@: %lu images, expected one for each of %lu %@",
                                destinations.name, (unsigned long)destinations.images.count, (unsigned long)steps,
                                sources.name);
    }
    if (!have_same_size(image_at(destinations, 0), image_at(sources, 0))) {
        PMPRaiseAtStep(encoding, destinations.name, 0, @"%@, expected the source's %@",
                       size_of(image_at(destinations, 0)), size_of(image_at(sources, 0)));
    }
    // Each pair is looked at only where the two sequences lie in the same stretch of memory.
    if (!PMPMemoryRegionsShare(hull_of(sources), hull_of(destinations))) {
        return;
    }
    for (NSUInteger i = 0; i < steps; i++) {
        PMPMemoryRegion destination = region_of(image_at(destinations, i));
        for (NSUInteger j = 0; j < steps; j++) {
            if (PMPMemoryRegionsShare(destination, region_of(image_at(sources, j)))) {
                PMPRaiseAtStep(encoding, destinations.name, i, @"shares memory with %@[%lu]", sources.name,
                               (unsigned long)j);
            }
        }
    }
}

void PMPImageSequenceCheckState(PMPImageSequence destinations, MPSState *state, PMPEncoding encoding) {
    const struct PMPRecurrentStateStorage *storage = state->_storage;
    if (!atomic_load_explicit(&storage->isShown, memory_order_relaxed)) {
        return;
    }
    for (NSUInteger step = 0; step < destinations.images.count; step++) {
        if (PMPRecurrentStateStorageShares(storage, region_of(image_at(destinations, step)))) {
            PMPRaiseAtStep(encoding, destinations.name, step, @"shares memory with recurrentInputState");
        }
    }
}

PMPRecurrentShape PMPImageSequenceShape(PMPImageSequence sequence) {
    MPSImage *first = image_at(sequence, 0);
    return (PMPRecurrentShape){.steps = sequence.images.count,
                               .rows = first->_width * first->_height * first->_numberOfImages,
                               .width = first->_width,
                               .height = first->_height};
}

void PMPImageSequenceEncode(PMPImageSequence sequence, pymps_engine_matrix *matrices, PMPCommandBuffer *commandBuffer) {
    for (MPSImage *image in sequence.images) {
        PMPImagePixels pixels = pixels_of(image);
        if (image->_isTemporary) {
            [commandBuffer holdUntilCompleted:pixels.resource];
        } else {
            [commandBuffer useResource:pixels.resource];
        }
        *matrices++ = (pymps_engine_matrix){
            .data = pixels.data, .rows = pixels.pixels, .row_bytes = pixels.pixel_bytes, .type = pixels.type};
    }
}

void PMPImageSequenceDidRead(PMPImageSequence sequence) {
    for (MPSImage *image in [NSSet setWithArray:sequence.images]) {
        if (image->_isTemporary) {
            ((MPSTemporaryImage *)image).readCount -= 1;
        }
    }
}
