#import "PMPArchive.h"
#import "PMPCNNKernel.h"

// The properties that have one value which all kernels know, as numbers under their names.
enum { kNumberCount = 13 };
static NSString *const kNames[kNumberCount] = {
    @"offset.x",
    @"offset.y",
    @"offset.z",
    @"clipRect.origin.x",
    @"clipRect.origin.y",
    @"clipRect.origin.z",
    @"clipRect.size.width",
    @"clipRect.size.height",
    @"clipRect.size.depth",
    @"destinationFeatureChannelOffset",
    @"sourceFeatureChannelOffset",
    @"sourceFeatureChannelMaxCount",
    @"edgeMode",
};
// -1: the greatest NSUInteger. The clip rectangle is MPSRectNoClip.
static const int64_t kDefaults[kNumberCount] = {0, 0, 0, 0, 0, 0, -1, -1, -1, 0, 0, -1, MPSImageEdgeModeZero};

@implementation MPSCNNKernel

@synthesize offset = _offset, clipRect = _clipRect, edgeMode = _edgeMode;
@synthesize destinationFeatureChannelOffset = _destinationFeatureChannelOffset;
@synthesize sourceFeatureChannelOffset = _sourceFeatureChannelOffset;
@synthesize sourceFeatureChannelMaxCount = _sourceFeatureChannelMaxCount;
@synthesize destinationImageAllocator = _destinationImageAllocator;

- (instancetype)initWithDevice:(id<MTLDevice>)device {
    self = [super initWithDevice:device];
    if (self != nil) {
        [self setNumbers:kDefaults];
        _destinationImageAllocator = [[MPSTemporaryImage defaultAllocator] retain];
    }
    return self;
}

- (void)dealloc {
    [_destinationImageAllocator release];
    [super dealloc];
}

- (void)getNumbers:(int64_t *)numbers {
    const int64_t all[kNumberCount] = {
        _offset.x,
        _offset.y,
        _offset.z,
        (int64_t)_clipRect.origin.x,
        (int64_t)_clipRect.origin.y,
        (int64_t)_clipRect.origin.z,
        (int64_t)_clipRect.size.width,
        (int64_t)_clipRect.size.height,
        (int64_t)_clipRect.size.depth,
        (int64_t)_destinationFeatureChannelOffset,
        (int64_t)_sourceFeatureChannelOffset,
        (int64_t)_sourceFeatureChannelMaxCount,
        (int64_t)_edgeMode,
    };
    memcpy(numbers, all, sizeof all);
}

- (void)setNumbers:(const int64_t *)numbers {
    const NSUInteger *unsignedNumbers = (const NSUInteger *)numbers;
    _offset = (MPSOffset){numbers[0], numbers[1], numbers[2]};
    _clipRect.origin = (MTLOrigin){unsignedNumbers[3], unsignedNumbers[4], unsignedNumbers[5]};
    _clipRect.size = (MTLSize){unsignedNumbers[6], unsignedNumbers[7], unsignedNumbers[8]};
    _destinationFeatureChannelOffset = unsignedNumbers[9];
    _sourceFeatureChannelOffset = unsignedNumbers[10];
    _sourceFeatureChannelMaxCount = unsignedNumbers[11];
    _edgeMode = unsignedNumbers[12];
}

- (void)encodeWithCoder:(NSCoder *)aCoder {
    int64_t numbers[kNumberCount];
    NSMutableDictionary *archive = [NSMutableDictionary dictionary];
    [super encodeWithCoder:aCoder];
    [self getNumbers:numbers];
    for (size_t i = 0; i < kNumberCount; i++) {
        [archive setObject:@(numbers[i]) forKey:kNames[i]];
    }
    PMPArchiveWrite(aCoder, @"cnnKernel", archive);
}

- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder device:(id<MTLDevice>)device {
    self = [[super initWithCoder:aDecoder device:device] autorelease];
    NSDictionary *archive = self != nil ? PMPArchiveRead(aDecoder, @"cnnKernel") : nil;
    if (archive == nil) {
        return nil;
    }
    int64_t numbers[kNumberCount];
    for (size_t i = 0; i < kNumberCount; i++) {
        NSNumber *number = [archive objectForKey:kNames[i]];
        if (![number isKindOfClass:[NSNumber class]]) {
            PMPArchiveFail(aDecoder, [NSString stringWithFormat:@"cnnKernel.%@: no number", kNames[i]]);
            return nil;
        }
        numbers[i] = number.longLongValue;
    }
    [self setNumbers:numbers];
    _destinationImageAllocator = [[MPSTemporaryImage defaultAllocator] retain];
    return [self retain];
}

- (instancetype)copyWithZone:(nullable NSZone *)zone device:(nullable id<MTLDevice>)device {
    MPSCNNKernel *copy = [super copyWithZone:zone device:device];
    [copy takePropertiesOf:self];
    return copy;
}

- (void)takePropertiesOf:(MPSCNNKernel *)other {
    int64_t numbers[kNumberCount];
    [other getNumbers:numbers];
    [self setNumbers:numbers];
    self.options = other.options;
    self.label = other.label;
    self.destinationImageAllocator = other.destinationImageAllocator;
}

- (void)checkDefaults:(PMPEncoding)encoding {
    int64_t numbers[kNumberCount];
    [self getNumbers:numbers];
    for (size_t i = 0; i < kNumberCount; i++) {
        if (numbers[i] != kDefaults[i]) {
            PMPRaiseInvalidArgument(self, encoding.selector,
                                    @"%@: %lld, expected the default, the one value that %@ has", kNames[i],
                                    (long long)numbers[i], [self class]);
        }
    }
}

- (NSUInteger)kernelWidth {
    return 1;
}

- (NSUInteger)kernelHeight {
    return 1;
}

- (NSUInteger)strideInPixelsX {
    return 1;
}

- (NSUInteger)strideInPixelsY {
    return 1;
}

- (NSUInteger)dilationRateX {
    return 1;
}

- (NSUInteger)dilationRateY {
    return 1;
}

- (BOOL)isBackwards {
    return NO;
}

- (BOOL)isStateModified {
    return NO;
}

@end
