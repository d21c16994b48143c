#import "PMPImage.h"
#import "PMPRecurrentState.h"

@implementation MPSRNNRecurrentImageState

- (MPSImage *)imageOver:(id<MTLBuffer>)buffer layer:(const struct PMPRecurrentStateLayer *)layer {
    PMPRecurrentShape shape = _storage->shape;
    MPSImageDescriptor *descriptor =
        [MPSImageDescriptor imageDescriptorWithChannelFormat:MPSImageFeatureChannelFormatFloat32
                                                       width:shape.width
                                                      height:shape.height
                                             featureChannels:layer->outputs
                                              numberOfImages:shape.rows / (shape.width * shape.height)
                                                       usage:MTLTextureUsageShaderRead | MTLTextureUsageShaderWrite];
    return [[[MPSImage alloc] initWithBuffer:buffer offset:0 imageDescriptor:descriptor] autorelease];
}

- (nullable MPSImage *)getRecurrentOutputImageForLayerIndex:(NSUInteger)layerIndex {
    const struct PMPRecurrentStateLayer *layer = [self recurrentLayerAtIndex:layerIndex selector:_cmd];
    return layer == NULL ? nil : [self imageOver:layer->h layer:layer];
}

- (nullable MPSImage *)getMemoryCellImageForLayerIndex:(NSUInteger)layerIndex {
    const struct PMPRecurrentStateLayer *layer = [self recurrentLayerAtIndex:layerIndex selector:_cmd];
    return layer == NULL || layer->c == nil ? nil : [self imageOver:layer->c layer:layer];
}

@end
