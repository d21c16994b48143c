// What every kernel is.
#import <MetalPerformanceShaders/MPSCoreTypes.h>

NS_ASSUME_NONNULL_BEGIN

/// Used by one thread at a time: copy it for another thread.
PMP_CLASS(MPSKernel)
@interface MPSKernel : NSObject <NSCopying, NSSecureCoding> {
    MPSKernelOptions _options;
    id<MTLDevice> _device;
    NSString *_label;
}

@property (readwrite, nonatomic) MPSKernelOptions options;
@property (readonly, retain, nonatomic) id<MTLDevice> device;
@property (copy, atomic, nullable) NSString *label;

/// nil where the device is not a portable one.
- (instancetype)initWithDevice:(id<MTLDevice>)device;

/// nil where the archive is damaged, or the device is not a portable one.
- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder device:(id<MTLDevice>)device;
/// The device is the coder's, where it is an MPSDeviceProvider, else the system's default.
- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder;

/// A nil device stands for the kernel's own.
- (instancetype)copyWithZone:(nullable NSZone *)zone device:(nullable id<MTLDevice>)device;

@end

NS_ASSUME_NONNULL_END
