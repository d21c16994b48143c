#import "PMPImageAllocator.h"
#import "PMPCommandBuffer.h"
#import "PMPStorage.h"

static NSString *const kIsTemporaryKey = @"isTemporary";

@implementation PMPImageAllocator

PMPImageAllocator *PMPImageAllocatorOf(Class imageClass) {
    static PMPImageAllocator *allocators[2];
    PMPImageAllocator **slot = &allocators[imageClass == [MPSTemporaryImage class]];
    PMPImageAllocator *present = (id)__atomic_load_n((void **)slot, __ATOMIC_ACQUIRE);
    if (present != nil) {
        return present;
    }
    PMPImageAllocator *made = [[PMPImageAllocator alloc] init];
    made->_imageClass = imageClass;
    return PMPFillSlot((id *)slot, made);
}

- (MPSImage *)imageForCommandBuffer:(id<MTLCommandBuffer>)cmdBuf
                    imageDescriptor:(MPSImageDescriptor *)descriptor
                             kernel:(MPSKernel *)kernel {
    (void)kernel;
    if (_imageClass == [MPSTemporaryImage class]) {
        return [MPSTemporaryImage temporaryImageWithCommandBuffer:cmdBuf imageDescriptor:descriptor];
    }
    id<MTLDevice> device = PMPPortableCommandBuffer(cmdBuf, _cmd).device;
    return [[[MPSImage alloc] initWithDevice:device imageDescriptor:descriptor] autorelease];
}

- (MPSImageBatch *)imageBatchForCommandBuffer:(id<MTLCommandBuffer>)cmdBuf
                              imageDescriptor:(MPSImageDescriptor *)descriptor
                                       kernel:(MPSKernel *)kernel
                                        count:(NSUInteger)count {
    NSMutableArray<MPSImage *> *batch = [NSMutableArray array];
    for (NSUInteger i = 0; i < count; i++) {
        [batch addObject:[self imageForCommandBuffer:cmdBuf imageDescriptor:descriptor kernel:kernel]];
    }
    return batch;
}

+ (BOOL)supportsSecureCoding {
    return YES;
}

- (void)encodeWithCoder:(NSCoder *)coder {
    [coder encodeBool:_imageClass == [MPSTemporaryImage class] forKey:kIsTemporaryKey];
}

- (instancetype)initWithCoder:(NSCoder *)coder {
    [self release];
    BOOL isTemporary = [coder decodeBoolForKey:kIsTemporaryKey];
    return [PMPImageAllocatorOf(isTemporary ? [MPSTemporaryImage class] : [MPSImage class]) retain];
}

@end
