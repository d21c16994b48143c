#import "PMPArgument.h"
#import "PMPBuffer.h"
#import "PMPDataType.h"
#import "PMPRecurrentStatePool.h"
#import "PMPState.h"
#import "PMPStorage.h"

// A state counts its own references, so that the last release hands it back to the pool of the layer that made it. One
// that no layer made (its class inherits MPSState's methods) has no storage of this kind, and is an ordinary object.
@implementation MPSRNNRecurrentMatrixState

- (instancetype)initWithStack:(PMPRecurrentStack *)stack device:(id<MTLDevice>)device rows:(size_t)rows {
    size_t cellCount = stack->_count, resourceCount = 0;
    for (size_t i = 0; i < cellCount; i++) {
        resourceCount += stack->_cells[i].hasMemoryCell ? 2 : 1;
    }
    self = [self initWithDevice:device resourceCount:resourceCount];
    if (self == nil) {
        return nil;
    }
    _storage = calloc(1, sizeof *_storage + cellCount * sizeof _storage->layers[0]);
    if (_storage == NULL) {
        [self release];
        return nil;
    }
    _storage->stack = [stack retain];
    _storage->rows = _storage->capacityRows = rows;
    struct PMPStateResource *next = _resources;
    for (size_t i = 0; i < cellCount; i++) {
        if (![self makeLayer:i resources:&next]) {
            [self dealloc];
            return nil;
        }
    }
    return self;
}

/// Makes the buffers of a layer at `next`, and moves on behind them. NO where memory runs out.
- (BOOL)makeLayer:(size_t)index resources:(struct PMPStateResource **)next {
    const PMPRecurrentCell *cell = &_storage->stack->_cells[index];
    struct PMPRecurrentStateLayer *layer = &_storage->layers[index];
    size_t rowBytes, bytes;
    if (!PMPRowBytes(cell->outputs, MPSDataTypeFloat32, &rowBytes) ||
        __builtin_mul_overflow(_storage->capacityRows, rowBytes, &bytes)) {
        return NO;
    }
    layer->outputs = cell->outputs;
    layer->memory.row_floats = rowBytes / sizeof(float);
    layer->h = [self makeBuffer:(*next)++ bytes:bytes];
    layer->memory.h = layer->h != nil ? PMPBufferAddress(layer->h) : NULL;
    if (cell->hasMemoryCell) {
        layer->c = [self makeBuffer:(*next)++ bytes:bytes];
        layer->memory.c = layer->c != nil ? PMPBufferAddress(layer->c) : NULL;
    }
    return layer->h != nil && (layer->c != nil || !cell->hasMemoryCell);
}

- (id<MTLBuffer>)makeBuffer:(struct PMPStateResource *)resource bytes:(size_t)bytes {
    resource->bytes = bytes;
    return PMPLazyBuffer((id<MTLBuffer> *)&resource->resource, _device, bytes, PMPTemporaryStorage());
}

- (void)dealloc {
    if (_storage != NULL) {
        [_storage->stack release];
        free(_storage);
    }
    [super dealloc];
}

- (void)endUse {
    _temporary = (struct PMPTemporary){0};
    if (_label != nil) {
        self.label = nil;
    }
    PMPRecurrentStatePoolReturn(_storage->pool, self);
}

- (instancetype)retain {
    if (_storage == NULL) {
        return [super retain];
    }
    atomic_fetch_add_explicit(&_storage->references, 1, memory_order_relaxed);
    return self;
}

- (oneway void)release {
    if (_storage == NULL) {
        [super release];
    } else if (atomic_fetch_sub_explicit(&_storage->references, 1, memory_order_acq_rel) == 1) {
        [self endUse];
    }
}

- (NSUInteger)retainCount {
    return _storage == NULL ? [super retainCount] : atomic_load_explicit(&_storage->references, memory_order_relaxed);
}

/// Storage goes with the state: kernels hold states, not their buffers.
- (void)giveStorageBack {
}

- (nullable id<MTLResource>)resourceAtIndex:(NSUInteger)index allocateMemory:(BOOL)allocateMemory {
    if (_storage != NULL) {
        atomic_store_explicit(&_storage->isShown, true, memory_order_relaxed);
    }
    return [super resourceAtIndex:index allocateMemory:allocateMemory];
}

- (nullable MPSMatrix *)matrixOver:(id<MTLBuffer>)buffer layer:(const struct PMPRecurrentStateLayer *)layer {
    atomic_store_explicit(&_storage->isShown, true, memory_order_relaxed);
    MPSMatrixDescriptor *descriptor =
        [MPSMatrixDescriptor matrixDescriptorWithRows:_storage->rows
                                              columns:layer->outputs
                                             rowBytes:layer->memory.row_floats * sizeof(float)
                                             dataType:MPSDataTypeFloat32];
    return [[[MPSMatrix alloc] initWithBuffer:buffer descriptor:descriptor] autorelease];
}

- (nullable const struct PMPRecurrentStateLayer *)layerAtIndex:(NSUInteger)index selector:(SEL)selector {
    if (_storage == NULL || index >= _storage->stack->_count) {
        return NULL;
    }
    if (self.isTemporary) {
        PMPTemporaryCheckAlive(&_temporary, self, selector);
    }
    return &_storage->layers[index];
}

- (nullable MPSMatrix *)getRecurrentOutputMatrixForLayerIndex:(NSUInteger)layerIndex {
    const struct PMPRecurrentStateLayer *layer = [self layerAtIndex:layerIndex selector:_cmd];
    return layer == NULL ? nil : [self matrixOver:layer->h layer:layer];
}

- (nullable MPSMatrix *)getMemoryCellMatrixForLayerIndex:(NSUInteger)layerIndex {
    const struct PMPRecurrentStateLayer *layer = [self layerAtIndex:layerIndex selector:_cmd];
    return layer == NULL || layer->c == nil ? nil : [self matrixOver:layer->c layer:layer];
}

@end
