#import "PMPArgument.h"
#import "PMPState.h"

@implementation MPSStateResourceList

+ (instancetype)resourceList {
    return [[[self alloc] init] autorelease];
}

+ (instancetype)resourceListWithTextureDescriptors:(MTLTextureDescriptor *)d, ... {
    MPSStateResourceList *list = [self resourceList];
    va_list descriptors;
    va_start(descriptors, d);
    for (MTLTextureDescriptor *each = d; each != nil; each = va_arg(descriptors, MTLTextureDescriptor *)) {
        [list appendTexture:each];
    }
    va_end(descriptors);
    return list;
}

+ (instancetype)resourceListWithBufferSizes:(NSUInteger)firstSize, ... {
    MPSStateResourceList *list = [self resourceList];
    va_list sizes;
    va_start(sizes, firstSize);
    for (NSUInteger size = firstSize; size != 0; size = va_arg(sizes, NSUInteger)) {
        [list appendBuffer:size];
    }
    va_end(sizes);
    return list;
}

- (instancetype)init {
    self = [super init];
    if (self != nil) {
        _textureDescriptors = [[NSMutableArray alloc] init];
        _bufferSizes = [[NSMutableArray alloc] init];
    }
    return self;
}

- (void)dealloc {
    [_textureDescriptors release];
    [_bufferSizes release];
    [super dealloc];
}

- (void)appendTexture:(MTLTextureDescriptor *)descriptor {
    if (descriptor == nil) {
        PMPInvalidArgument(@"descriptor: nil, expected a descriptor");
    }
    [_textureDescriptors addObject:[[descriptor copy] autorelease]];
}

- (void)appendBuffer:(NSUInteger)size {
    [_bufferSizes addObject:@(size)];
}

- (NSArray<MTLTextureDescriptor *> *)textureDescriptors {
    return _textureDescriptors;
}

- (NSArray<NSNumber *> *)bufferSizes {
    return _bufferSizes;
}

@end
