#import "PMPState.h"

@implementation MPSStateResourceList

+ (instancetype)resourceList {
    return [[[self alloc] init] autorelease];
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
        _bufferSizes = [[NSMutableArray alloc] init];
    }
    return self;
}

- (void)dealloc {
    [_bufferSizes release];
    [super dealloc];
}

- (void)appendBuffer:(NSUInteger)size {
    [_bufferSizes addObject:@(size)];
}

- (NSArray<NSNumber *> *)bufferSizes {
    return _bufferSizes;
}

@end
