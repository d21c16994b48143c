#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

@implementation MPSKernel

@synthesize options = _options, device = _device, label = _label;

- (instancetype)initWithDevice:(id<MTLDevice>)device {
    self = [super init];
    if (self != nil && !MPSSupportsMTLDevice(device)) {
        [self release];
        return nil;
    }
    _device = [device retain];
    return self;
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
