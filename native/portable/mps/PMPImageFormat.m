#import "PMPImageFormat.h"

static const struct {
    PMPChannelFormat channel;
    MTLPixelFormat pixels[3]; // of one, two and four components
} kFormats[MPSImageFeatureChannelFormatCount] = {
    [MPSImageFeatureChannelFormatUnorm8] = {{1, 8, PYMPS_ENGINE_UNORM8},
                                            {MTLPixelFormatR8Unorm, MTLPixelFormatRG8Unorm, MTLPixelFormatRGBA8Unorm}},
    [MPSImageFeatureChannelFormatUnorm16] = {{2, 16, PYMPS_ENGINE_UNORM16},
                                             {MTLPixelFormatR16Unorm, MTLPixelFormatRG16Unorm,
                                              MTLPixelFormatRGBA16Unorm}},
    [MPSImageFeatureChannelFormatFloat16] = {{2, 11, PYMPS_ENGINE_FLOAT16},
                                             {MTLPixelFormatR16Float, MTLPixelFormatRG16Float,
                                              MTLPixelFormatRGBA16Float}},
    [MPSImageFeatureChannelFormatFloat32] = {{4, 24, PYMPS_ENGINE_FLOAT32},
                                             {MTLPixelFormatR32Float, MTLPixelFormatRG32Float,
                                              MTLPixelFormatRGBA32Float}},
};

PMPChannelFormat PMPChannelFormatOf(MPSImageFeatureChannelFormat format) {
    return format < MPSImageFeatureChannelFormatCount ? kFormats[format].channel : kFormats[0].channel;
}

MTLPixelFormat PMPPixelFormatOfChannels(MPSImageFeatureChannelFormat format, NSUInteger featureChannels) {
    if (format >= MPSImageFeatureChannelFormatCount) {
        return MTLPixelFormatInvalid;
    }
    return kFormats[format].pixels[featureChannels <= 1 ? 0 : featureChannels == 2 ? 1 : 2];
}

MPSImageFeatureChannelFormat PMPChannelFormatOfPixels(MTLPixelFormat format) {
    for (MPSImageFeatureChannelFormat channel = 1; channel < MPSImageFeatureChannelFormat_reserved0; channel++) {
        for (int i = 0; i < 3; i++) {
            if (kFormats[channel].pixels[i] == format) {
                return channel;
            }
        }
    }
    return MPSImageFeatureChannelFormatNone;
}
