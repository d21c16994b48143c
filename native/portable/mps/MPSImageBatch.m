// The functions on arrays of images.
#import "PMPImage.h"

NSInteger MPSImageBatchIterate(MPSImageBatch *batch, NSInteger (^iteratorBlock)(MPSImage *image, NSUInteger index)) {
    NSMutableSet<MPSImage *> *seen = [NSMutableSet set];
    NSInteger result = 0;
    for (NSUInteger i = 0; i < batch.count && result != NSIntegerMax; i++) {
        MPSImage *image = [batch objectAtIndex:i];
        if (![seen containsObject:image]) {
            [seen addObject:image];
            result = iteratorBlock(image, i);
        }
    }
    return result;
}

NSUInteger MPSImageBatchIncrementReadCount(MPSImageBatch *batch, NSInteger amount) {
    NSSet<MPSImage *> *images = [NSSet setWithArray:batch];
    for (MPSImage *image in images) {
        NSUInteger readCount = image->_isTemporary ? ((MPSTemporaryImage *)image).readCount : 0;
        if (readCount == 0) {
            continue; // of no meaning there
        }
        if (amount < 0 && readCount < -(NSUInteger)amount) {
            PMPRaiseInvalidArgument(image, @selector(setReadCount:), @"readCount: %lu, lowered by %lu",
                                    (unsigned long)readCount, -(unsigned long)amount);
        }
        ((MPSTemporaryImage *)image).readCount = readCount + (NSUInteger)amount;
    }
    return images.count;
}

void MPSImageBatchSynchronize(MPSImageBatch *batch, id<MTLCommandBuffer> cmdBuf) {
    for (MPSImage *image in [NSSet setWithArray:batch]) {
        [image synchronizeOnCommandBuffer:cmdBuf];
    }
}

NSUInteger MPSImageBatchResourceSize(MPSImageBatch *batch) {
    NSUInteger bytes = 0;
    for (MPSImage *image in [NSSet setWithArray:batch]) {
        bytes += image.resourceSize;
    }
    return bytes;
}
