#import "PMPRecurrentState.h"

@implementation MPSRNNRecurrentMatrixState

- (MPSMatrix *)matrixOver:(id<MTLBuffer>)buffer layer:(const struct PMPRecurrentStateLayer *)layer {
    MPSMatrixDescriptor *descriptor =
        [MPSMatrixDescriptor matrixDescriptorWithRows:_storage->shape.rows
                                              columns:layer->outputs
                                             rowBytes:layer->memory.row_floats * sizeof(float)
                                             dataType:MPSDataTypeFloat32];
    return [[[MPSMatrix alloc] initWithBuffer:buffer descriptor:descriptor] autorelease];
}

- (nullable MPSMatrix *)getRecurrentOutputMatrixForLayerIndex:(NSUInteger)layerIndex {
    const struct PMPRecurrentStateLayer *layer = [self recurrentLayerAtIndex:layerIndex selector:_cmd];
    return layer == NULL ? nil : [self matrixOver:layer->h layer:layer];
}

- (nullable MPSMatrix *)getMemoryCellMatrixForLayerIndex:(NSUInteger)layerIndex {
    const struct PMPRecurrentStateLayer *layer = [self recurrentLayerAtIndex:layerIndex selector:_cmd];
    return layer == NULL || layer->c == nil ? nil : [self matrixOver:layer->c layer:layer];
}

@end
