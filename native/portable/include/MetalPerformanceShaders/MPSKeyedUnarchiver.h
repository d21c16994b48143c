// Kernels out of keyed archives.
#import <MetalPerformanceShaders/MPSCoreTypes.h>

NS_ASSUME_NONNULL_BEGIN

/// What a coder says of the device that kernels are made for.
PMP_CLASS(MPSDeviceProvider)
@protocol MPSDeviceProvider
- (id<MTLDevice>)mpsMTLDevice;
@end

/// Reads what NSKeyedArchiver wrote in its binary format, which is the one it writes unless it is told otherwise.
/// Damaged bytes, and objects of other classes than those that are asked for, give nil and an error; kernels may be of
/// subclasses.
PMP_CLASS(MPSKeyedUnarchiver)
@interface MPSKeyedUnarchiver : NSKeyedUnarchiver <MPSDeviceProvider> {
    id<MTLDevice> _device;
    NSSet *_allowedClasses; // of the object that is being decoded; not retained
    NSError *_failure;
}

+ (nullable id)unarchivedObjectOfClasses:(NSSet<Class> *)classes
                                fromData:(NSData *)data
                                  device:(id<MTLDevice>)device
                                   error:(NSError *_Nullable *_Nullable)error;
+ (nullable id)unarchivedObjectOfClass:(Class)cls
                              fromData:(NSData *)data
                                device:(id<MTLDevice>)device
                                 error:(NSError *_Nullable *_Nullable)error;

/// It requires secure coding.
- (instancetype)initForReadingFromData:(NSData *)data
                                device:(id<MTLDevice>)device
                                 error:(NSError *_Nullable *_Nullable)error;
- (instancetype)initForReadingWithData:(NSData *)data PMP_UNAVAILABLE;
- (instancetype)init PMP_UNAVAILABLE;

@end

NS_ASSUME_NONNULL_END
