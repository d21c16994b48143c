#import "PMPRecurrentState.h"
#import "PMPBuffer.h"
#import "PMPDataType.h"
#import "PMPRecurrentStatePool.h"
#import "PMPState.h"
#import "PMPStorage.h"

void PMPRecurrentStateStorageFree(struct PMPRecurrentStateStorage *storage) {
    if (storage != NULL) {
        [storage->stack release];
        free(storage);
    }
}

void PMPRecurrentStateStorageShow(struct PMPRecurrentStateStorage *storage) {
    if (storage != NULL) {
        atomic_store_explicit(&storage->isShown, true, memory_order_relaxed);
    }
}

bool PMPRecurrentStateStorageShares(const struct PMPRecurrentStateStorage *storage, PMPMemoryRegion region) {
    for (size_t i = 0; i < storage->stack->_count; i++) {
        const struct PMPRecurrentStateLayer *layer = &storage->layers[i];
        PMPMemoryRegion memory = {.start = (uintptr_t)layer->memory.h,
                                  .rows = storage->shape.rows,
                                  .rowBytes = layer->memory.row_floats * sizeof(float),
                                  .width = layer->outputs * sizeof(float)};
        if (PMPMemoryRegionsShare(region, memory)) {
            return true;
        }
        memory.start = (uintptr_t)layer->memory.c;
        if (layer->memory.c != NULL && PMPMemoryRegionsShare(region, memory)) {
            return true;
        }
    }
    return false;
}

/// The pixels of an image lie side by side, the rows of a matrix as MPSMatrixDescriptor recommends. false where that is
/// no size_t.
static bool row_bytes(PMPRecurrentForm form, size_t outputs, size_t *bytes) {
    return form == PMPRecurrentFormImages ? !__builtin_mul_overflow(outputs, sizeof(float), bytes)
                                          : PMPRowBytes(outputs, MPSDataTypeFloat32, bytes);
}

@implementation MPSState (PMPRecurrentState)

- (instancetype)initWithStack:(PMPRecurrentStack *)stack device:(id<MTLDevice>)device shape:(PMPRecurrentShape)shape {
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
    _storage->shape = shape;
    _storage->capacityRows = shape.rows;
    struct PMPStateResource *next = _resources;
    for (size_t i = 0; i < cellCount; i++) {
        if (![self makeRecurrentLayer:i resources:&next]) {
            [self dealloc];
            return nil;
        }
    }
    return self;
}

/// Makes the buffers of a layer at `next`, and moves on behind them. NO where memory runs out.
- (BOOL)makeRecurrentLayer:(size_t)index resources:(struct PMPStateResource **)next {
    const PMPRecurrentCell *cell = &_storage->stack->_cells[index];
    struct PMPRecurrentStateLayer *layer = &_storage->layers[index];
    size_t rowBytes, bytes;
    if (!row_bytes(_storage->stack->_form, cell->outputs, &rowBytes) ||
        __builtin_mul_overflow(_storage->capacityRows, rowBytes, &bytes)) {
        return NO;
    }
    layer->outputs = cell->outputs;
    layer->memory.row_floats = rowBytes / sizeof(float);
    layer->h = [self makeRecurrentBuffer:(*next)++ bytes:bytes];
    layer->memory.h = layer->h != nil ? PMPBufferAddress(layer->h) : NULL;
    if (cell->hasMemoryCell) {
        layer->c = [self makeRecurrentBuffer:(*next)++ bytes:bytes];
        layer->memory.c = layer->c != nil ? PMPBufferAddress(layer->c) : NULL;
    }
    return layer->h != nil && (layer->c != nil || !cell->hasMemoryCell);
}

- (id<MTLBuffer>)makeRecurrentBuffer:(struct PMPStateResource *)resource bytes:(size_t)bytes {
    resource->bytes = bytes;
    return PMPLazyBuffer((id<MTLBuffer> *)&resource->resource, _device, bytes, PMPTemporaryStorage());
}

- (const struct PMPRecurrentStateLayer *)recurrentLayerAtIndex:(NSUInteger)index selector:(SEL)selector {
    if (_storage == NULL || index >= _storage->stack->_count) {
        return NULL;
    }
    if (self.isTemporary) {
        PMPTemporaryCheckAlive(&_temporary, self, selector);
    }
    PMPRecurrentStateStorageShow(_storage);
    return &_storage->layers[index];
}

- (void)endRecurrentUse {
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
        [self endRecurrentUse];
    }
}

- (NSUInteger)retainCount {
    return _storage == NULL ? [super retainCount] : atomic_load_explicit(&_storage->references, memory_order_relaxed);
}

@end
