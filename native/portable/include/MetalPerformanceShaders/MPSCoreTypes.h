// Enumerations and places that all kernels share.
#import <Metal/Metal.h>

typedef NS_OPTIONS(NSUInteger, MPSKernelOptions) {
    MPSKernelOptionsNone = 0,
    /// Arguments are trusted: a bad one is undefined behaviour.
    MPSKernelOptionsSkipAPIValidation = 1 << 0,
    MPSKernelOptionsAllowReducedPrecision = 1 << 1,
    MPSKernelOptionsDisableInternalTiling = 1 << 2,
    MPSKernelOptionsInsertDebugGroups = 1 << 3,
    MPSKernelOptionsVerbose = 1 << 4,
};

/// The low seven bits are the width of an element in bits.
typedef NS_ENUM(uint32_t, MPSDataType) {
    MPSDataTypeInvalid = 0,

    MPSDataTypeFloatBit = 0x10000000,
    MPSDataTypeFloat32 = MPSDataTypeFloatBit | 32,
    MPSDataTypeFloat16 = MPSDataTypeFloatBit | 16,

    MPSDataTypeSignedBit = 0x20000000,
    MPSDataTypeIntBit = MPSDataTypeSignedBit,
    MPSDataTypeInt8 = MPSDataTypeSignedBit | 8,
    MPSDataTypeInt16 = MPSDataTypeSignedBit | 16,
    MPSDataTypeInt32 = MPSDataTypeSignedBit | 32,
    MPSDataTypeInt64 = MPSDataTypeSignedBit | 64,

    MPSDataTypeUInt8 = 8,
    MPSDataTypeUInt16 = 16,
    MPSDataTypeUInt32 = 32,
    MPSDataTypeUInt64 = 64,

    MPSDataTypeAlternateEncodingBit = 0x80000000,
    MPSDataTypeBool = MPSDataTypeAlternateEncodingBit | 8,

    MPSDataTypeNormalizedBit = 0x40000000,
    MPSDataTypeUnorm1 = MPSDataTypeNormalizedBit | 1,
    MPSDataTypeUnorm8 = MPSDataTypeNormalizedBit | 8,
};

typedef NS_OPTIONS(NSUInteger, MPSAliasingStrategy) {
    MPSAliasingStrategyDefault = 0,
    MPSAliasingStrategyDontCare = MPSAliasingStrategyDefault,
    MPSAliasingStrategyShallAlias = 1 << 0,
    MPSAliasingStrategyShallNotAlias = 1 << 1,
    MPSAliasingStrategyAliasingReserved = MPSAliasingStrategyShallAlias | MPSAliasingStrategyShallNotAlias,
    MPSAliasingStrategyPreferTemporaryMemory = 1 << 2,
    MPSAliasingStrategyPreferNonTemporaryMemory = 1 << 3,
};

typedef NS_ENUM(NSUInteger, MPSImageFeatureChannelFormat) {
    MPSImageFeatureChannelFormatNone = 0,
    MPSImageFeatureChannelFormatUnorm8 = 1,
    MPSImageFeatureChannelFormatUnorm16 = 2,
    MPSImageFeatureChannelFormatFloat16 = 3,
    MPSImageFeatureChannelFormatFloat32 = 4,
    MPSImageFeatureChannelFormat_reserved0 = 5,
    MPSImageFeatureChannelFormatCount,
};

/// What an image is beyond its edge.
typedef NS_ENUM(NSUInteger, MPSImageEdgeMode) {
    MPSImageEdgeModeZero = 0,
    MPSImageEdgeModeClamp = 1,
    MPSImageEdgeModeMirror = 2,
    MPSImageEdgeModeMirrorWithEdge = 3,
    MPSImageEdgeModeConstant = 4,
};

typedef struct {
    NSInteger x, y, z;
} MPSOffset;

typedef struct {
    double x, y, z;
} MPSOrigin;

typedef struct {
    double width, height, depth;
} MPSSize;

typedef struct {
    MPSOrigin origin;
    MPSSize size;
} MPSRegion;

typedef struct {
    NSUInteger x, y, channel;
} MPSImageCoordinate;

typedef struct {
    MPSImageCoordinate offset, size;
} MPSImageRegion;

typedef struct {
    double scaleX, scaleY, translateX, translateY;
} MPSScaleTransform;

#ifdef __cplusplus
extern "C" {
#endif

/// The whole of an image, however large.
extern const MTLRegion MPSRectNoClip PMP_SYMBOL(MPSRectNoClip);

#ifdef __cplusplus
}
#endif
