#import "PMPArchive.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

@implementation MPSKernel

@synthesize options = _options, device = _device, label = _label;

+ (BOOL)supportsSecureCoding {
    return YES;
}

- (instancetype)initWithDevice:(id<MTLDevice>)device {
    self = [super init];
    if (self != nil && !MPSSupportsMTLDevice(device)) {
        [self release];
        return nil;
    }
    _device = [device retain];
    return self;
}

- (void)encodeWithCoder:(NSCoder *)aCoder {
    NSMutableDictionary *archive = [NSMutableDictionary dictionaryWithObject:@(_options) forKey:@"options"];
    if (self.label != nil) {
        [archive setObject:self.label forKey:@"label"];
    }
    PMPArchiveWrite(aCoder, @"kernel", archive);
}

- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder device:(id<MTLDevice>)device {
    self = [[super init] autorelease];
    if (!MPSSupportsMTLDevice(device)) {
        PMPArchiveFail(aDecoder, @"device: not a portable one");
        return nil;
    }
    NSDictionary *archive = PMPArchiveRead(aDecoder, @"kernel");
    NSNumber *options = [archive objectForKey:@"options"];
    NSString *label = [archive objectForKey:@"label"];
    if (![options isKindOfClass:[NSNumber class]] || (label != nil && ![label isKindOfClass:[NSString class]])) {
        return nil;
    }
    _device = [device retain];
    // Whether arguments are trusted is the program's to say, not an archive's.
    _options = options.unsignedIntegerValue & ~(NSUInteger)MPSKernelOptionsSkipAPIValidation;
    _label = [label copy];
    return [self retain];
}

- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder {
    if ([aDecoder respondsToSelector:@selector(mpsMTLDevice)]) {
        return [self initWithCoder:aDecoder device:[(id<MPSDeviceProvider>)aDecoder mpsMTLDevice]];
    }
    return [self initWithCoder:aDecoder device:[MTLCreateSystemDefaultDevice() autorelease]];
}

- (void)dealloc {
    [_device release];
    [_label release];
    [super dealloc];
}

- (instancetype)copyWithZone:(nullable NSZone *)zone device:(nullable id<MTLDevice>)device {
    MPSKernel *copy = [[[self class] allocWithZone:zone] initWithDevice:device != nil ? device : _device];
    copy.options = _options;
    copy.label = self.label;
    return copy;
}

- (id)copyWithZone:(nullable NSZone *)zone {
    return [self copyWithZone:zone device:nil];
}

@end
