#import "PMPArgument.h"
#import "PMPRecurrentState.h"
#import "PMPState.h"
#import "PMPStorage.h"
#import "PMPTexture.h"

static void release_resources(struct PMPStateResource *resources, NSUInteger count) {
    for (NSUInteger i = 0; i < count; i++) {
        [resources[i].resource release];
        resources[i].resource = nil;
    }
}

@implementation MPSState

@synthesize resourceCount = _resourceCount, label = _label;

// Initialisers autorelease the object until its arguments have passed: a violation leaves nothing behind.
- (instancetype)initWithDevice:(id<MTLDevice>)device resourceCount:(NSUInteger)count {
    self = [super init];
    if (self != nil) {
        _device = [device retain];
        _resources = calloc(count, sizeof *_resources);
        if (_resources == NULL && count > 0) {
            [self release];
            return nil;
        }
        _resourceCount = count;
    }
    return self;
}

- (instancetype)initWithDevice:(id<MTLDevice>)device resourceList:(MPSStateResourceList *)resourceList {
    NSArray<MTLTextureDescriptor *> *descriptors = resourceList.textureDescriptors;
    NSArray<NSNumber *> *sizes = resourceList.bufferSizes;
    self = [[self initWithDevice:device resourceCount:descriptors.count + sizes.count] autorelease];
    PMPCheckDevice(device, self, _cmd);
    if (self == nil) {
        return nil;
    }
    struct PMPStateResource *next = _resources;
    for (MTLTextureDescriptor *descriptor in descriptors) {
        PMPCheckTextureDescriptor(descriptor, self, _cmd, @"resourceList");
        (next++)->textureDescriptor = [descriptor copy];
    }
    for (NSUInteger i = 0; i < sizes.count; i++, next++) {
        next->bytes = [[sizes objectAtIndex:i] unsignedIntegerValue];
        if (next->bytes == 0) {
            PMPInvalidArgument(@"resourceList: buffer %lu of 0 bytes, expected at least 1", (unsigned long)i);
        }
    }
    return [self retain];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device bufferSize:(size_t)bufferSize {
    self = [[self initWithDevice:device resourceCount:1] autorelease];
    PMPCheckDevice(device, self, _cmd);
    if (bufferSize == 0) {
        PMPInvalidArgument(@"bufferSize: 0, expected at least 1");
    }
    if (self != nil) {
        _resources[0].bytes = bufferSize;
    }
    return [self retain];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device textureDescriptor:(MTLTextureDescriptor *)descriptor {
    self = [[self initWithDevice:device resourceCount:1] autorelease];
    PMPCheckDevice(device, self, _cmd);
    PMPCheckTextureDescriptor(descriptor, self, _cmd, @"descriptor");
    if (self != nil) {
        _resources[0].textureDescriptor = [descriptor copy];
    }
    return [self retain];
}

- (instancetype)initWithResources:(nullable NSArray<id<MTLResource>> *)resources {
    self = [self initWithDevice:[[resources firstObject] device] resourceCount:resources.count];
    for (NSUInteger i = 0; self != nil && i < _resourceCount; i++) {
        _resources[i].resource = [[resources objectAtIndex:i] retain];
    }
    return self;
}

- (instancetype)initWithResource:(nullable id<MTLResource>)resource {
    return [self initWithResources:resource != nil ? @[ resource ] : nil];
}

+ (instancetype)temporaryStateWithCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                                   resourceList:(MPSStateResourceList *)resourceList {
    PMPCommandBuffer *owner = PMPPortableCommandBuffer(commandBuffer, _cmd);
    MPSState *state = [[[self alloc] initWithDevice:owner.device resourceList:resourceList] autorelease];
    if (state->_resourceCount > 0) {
        PMPTemporaryBegin(&state->_temporary, owner, state);
    }
    return state;
}

+ (instancetype)temporaryStateWithCommandBuffer:(id<MTLCommandBuffer>)cmdBuf bufferSize:(size_t)bufferSize {
    MPSStateResourceList *list = [MPSStateResourceList resourceList];
    [list appendBuffer:bufferSize];
    return [self temporaryStateWithCommandBuffer:cmdBuf resourceList:list];
}

+ (instancetype)temporaryStateWithCommandBuffer:(id<MTLCommandBuffer>)cmdBuf
                              textureDescriptor:(MTLTextureDescriptor *)descriptor {
    MPSStateResourceList *list = [MPSStateResourceList resourceList];
    [list appendTexture:descriptor];
    return [self temporaryStateWithCommandBuffer:cmdBuf resourceList:list];
}

+ (instancetype)temporaryStateWithCommandBuffer:(id<MTLCommandBuffer>)cmdBuf {
    return [self temporaryStateWithCommandBuffer:cmdBuf resourceList:[MPSStateResourceList resourceList]];
}

- (void)dealloc {
    release_resources(_resources, _resourceCount);
    for (NSUInteger i = 0; i < _resourceCount; i++) {
        [_resources[i].textureDescriptor release];
    }
    free(_resources);
    PMPRecurrentStateStorageFree(_storage);
    [_device release];
    [_label release];
    [super dealloc];
}

/// Kernels that were encoded hold the resources themselves; but recurrent ones hold the state, and its storage goes
/// with it.
- (void)giveStorageBack {
    if (_storage == NULL) {
        release_resources(_resources, _resourceCount);
    }
}

- (BOOL)isTemporary {
    return _temporary.commandBuffer != nil;
}

- (NSUInteger)readCount {
    return _temporary.readCount;
}

- (void)setReadCount:(NSUInteger)readCount {
    if (!self.isTemporary) {
        return; // of no meaning there
    }
    PMPTemporarySetReadCount(&_temporary, self, _cmd, readCount);
    if (readCount == 0) {
        [self giveStorageBack];
    }
}

- (nullable id<MTLResource>)resourceAtIndex:(NSUInteger)index allocateMemory:(BOOL)allocateMemory {
    if (index >= _resourceCount) {
        return nil;
    }
    if (self.isTemporary) {
        PMPTemporaryCheckAlive(&_temporary, self, _cmd);
    }
    PMPRecurrentStateStorageShow(_storage);
    struct PMPStateResource *entry = &_resources[index];
    if (!allocateMemory || (entry->bytes == 0 && entry->textureDescriptor == nil)) {
        return entry->resource;
    }
    return entry->textureDescriptor != nil ? [self textureOf:entry] : [self bufferOf:entry];
}

- (id<MTLResource>)bufferOf:(struct PMPStateResource *)entry {
    MTLResourceOptions options = self.isTemporary ? PMPTemporaryStorage() : MTLResourceStorageModeShared;
    return PMPLazyBuffer((id<MTLBuffer> *)&entry->resource, _device, entry->bytes, options);
}

- (id<MTLResource>)textureOf:(struct PMPStateResource *)entry {
    id<MTLResource> present = (id<MTLResource>)__atomic_load_n((void **)&entry->resource, __ATOMIC_ACQUIRE);
    if (present != nil) {
        return present;
    }
    MTLTextureDescriptor *descriptor = [[entry->textureDescriptor copy] autorelease];
    if (self.isTemporary) {
        descriptor.resourceOptions = PMPTemporaryStorage();
    }
    return PMPFillSlot((id *)&entry->resource, [_device newTextureWithDescriptor:descriptor]);
}

/// The texture, or the descriptor of one to make: both have the same properties. nil for a buffer.
- (nullable MTLTextureDescriptor *)textureAtIndex:(NSUInteger)index {
    if (index >= _resourceCount) {
        return nil;
    }
    const struct PMPStateResource *entry = &_resources[index];
    BOOL isTexture = [(id)entry->resource isKindOfClass:[PMPTexture class]];
    return isTexture ? (MTLTextureDescriptor *)entry->resource : entry->textureDescriptor;
}

- (nullable id<MTLResource>)resource {
    return [self resourceAtIndex:0 allocateMemory:YES];
}

- (NSUInteger)bufferSizeAtIndex:(NSUInteger)index {
    if (index >= _resourceCount || [self textureAtIndex:index] != nil) {
        return 0;
    }
    const struct PMPStateResource *entry = &_resources[index];
    return entry->bytes != 0 ? entry->bytes : [(id<MTLBuffer>)entry->resource length];
}

- (MPSStateResourceType)resourceTypeAtIndex:(NSUInteger)index {
    if (index >= _resourceCount) {
        return MPSStateResourceTypeNone;
    }
    return [self textureAtIndex:index] != nil ? MPSStateResourceTypeTexture : MPSStateResourceTypeBuffer;
}

- (MPSStateTextureInfo)textureInfoAtIndex:(NSUInteger)index {
    MTLTextureDescriptor *texture = [self textureAtIndex:index];
    if (texture == nil) {
        return (MPSStateTextureInfo){0};
    }
    return (MPSStateTextureInfo){
        .width = texture.width,
        .height = texture.height,
        .depth = texture.depth,
        .arrayLength = texture.arrayLength,
        .pixelFormat = texture.pixelFormat,
        .textureType = texture.textureType,
        .usage = texture.usage,
    };
}

- (void)synchronizeOnCommandBuffer:(id<MTLCommandBuffer>)commandBuffer {
    for (NSUInteger i = 0; i < _resourceCount; i++) {
        PMPSynchronizeResource(_resources[i].resource, commandBuffer);
    }
}

- (NSUInteger)resourceSize {
    NSUInteger bytes = 0;
    for (NSUInteger i = 0; i < _resourceCount; i++) {
        MPSStateTextureInfo texture = [self textureInfoAtIndex:i];
        bytes += texture.width * texture.height * texture.arrayLength * PMPPixelBytes(texture.pixelFormat);
        bytes += [self bufferSizeAtIndex:i];
    }
    return bytes;
}

- (MPSImageDescriptor *)destinationImageDescriptorForSourceImages:(NSArray<MPSImage *> *)sourceImages
                                                     sourceStates:(NSArray<MPSState *> *)sourceStates
                                                        forKernel:(MPSKernel *)kernel
                                              suggestedDescriptor:(MPSImageDescriptor *)inDescriptor {
    (void)sourceImages, (void)sourceStates, (void)kernel;
    return inDescriptor;
}

@end

NSUInteger MPSStateBatchIncrementReadCount(MPSStateBatch *batch, NSInteger amount) {
    NSSet<MPSState *> *states = [NSSet setWithArray:batch != nil ? batch : @[]];
    for (MPSState *state in states) {
        if (!state.isTemporary) {
            continue;
        }
        if (amount < 0 && state.readCount < -(NSUInteger)amount) {
            PMPRaiseInvalidArgument(state, @selector(setReadCount:), @"readCount: %lu, lowered by %lu",
                                    (unsigned long)state.readCount, -(unsigned long)amount);
        }
        state.readCount += (NSUInteger)amount;
    }
    return states.count;
}

void MPSStateBatchSynchronize(MPSStateBatch *batch, id<MTLCommandBuffer> cmdBuf) {
    for (MPSState *state in [NSSet setWithArray:batch]) {
        [state synchronizeOnCommandBuffer:cmdBuf];
    }
}

NSUInteger MPSStateBatchResourceSize(MPSStateBatch *batch) {
    NSUInteger bytes = 0;
    for (MPSState *state in [NSSet setWithArray:batch != nil ? batch : @[]]) {
        bytes += state.resourceSize;
    }
    return bytes;
}
