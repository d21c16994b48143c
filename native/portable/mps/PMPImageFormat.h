// Channel formats of images.
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>
#include "engine/engine.h"

typedef struct PMPChannelFormat {
    size_t bytes;         // of a channel
    NSUInteger precision; // significant bits
    pymps_engine_type type;
} PMPChannelFormat;

/// All zero for a format that no image can have.
PMPChannelFormat PMPChannelFormatOf(MPSImageFeatureChannelFormat format);

/// Of the texture behind an image; Invalid where the channel format is.
MTLPixelFormat PMPPixelFormatOfChannels(MPSImageFeatureChannelFormat format, NSUInteger featureChannels);

/// The reverse; None for a pixel format that no texture can have.
MPSImageFeatureChannelFormat PMPChannelFormatOfPixels(MTLPixelFormat format);
