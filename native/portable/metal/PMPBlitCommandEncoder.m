#import "PMPBlitCommandEncoder.h"
#import "PMPArgument.h"
#import "PMPBuffer.h"
#import "PMPCommandBuffer+Queue.h"
#import "PMPTexture.h"

struct copy_record {
    const void *source;
    void *destination;
    size_t size;
};

struct fill_record {
    void *destination;
    size_t size;
    uint8_t value;
};

static void copy_command(void *record, void *workspace) {
    (void)workspace;
    struct copy_record *copy = record;
    memcpy(copy->destination, copy->source, copy->size);
}

static void fill_command(void *record, void *workspace) {
    (void)workspace;
    struct fill_record *fill = record;
    memset(fill->destination, fill->value, fill->size);
}

static void slice_to_buffer_command(void *record, void *workspace) {
    (void)workspace;
    PMPSliceRead(record);
}

static void buffer_to_slice_command(void *record, void *workspace) {
    (void)workspace;
    PMPSliceWrite(record);
}

@implementation PMPBlitCommandEncoder

@synthesize label = _label;

- (instancetype)initWithCommandBuffer:(PMPCommandBuffer *)commandBuffer {
    if ((self = [super init]) != nil) {
        _commandBuffer = commandBuffer;
    }
    return self;
}

- (void)dealloc {
    [_label release];
    [super dealloc];
}

- (id)retain {
    [_commandBuffer retain];
    return self;
}

- (oneway void)release {
    [_commandBuffer release];
}

- (NSUInteger)retainCount {
    return [_commandBuffer retainCount];
}

- (void)clear {
    [_label release];
    _label = nil;
    _debugGroups = 0;
}

- (id<MTLDevice>)device {
    return _commandBuffer.device;
}

static void check_open(PMPBlitCommandEncoder *encoder, SEL selector) {
    if (!encoder->_commandBuffer->_encoderIsOpen) {
        PMPRaiseInvalidArgument(encoder, selector, @"receiver: has ended, expected an open encoder");
    }
}

static void check_kind(PMPBlitCommandEncoder *encoder, SEL selector, const char *argument, id<MTLResource> resource,
                       Class class) {
    if (![(id)resource isKindOfClass:class]) {
        PMPRaiseInvalidArgument(encoder, selector, @"%s: %@, expected a %s of the portable device", argument, resource,
                                class == [PMPTexture class] ? "texture" : "buffer");
    }
}

/// Offset and size are multiples of 4 and lie within the buffer.
static void check_range(PMPBlitCommandEncoder *encoder, SEL selector, const char *argument, id<MTLBuffer> buffer,
                        NSRange range) {
    check_kind(encoder, selector, argument, buffer, [PMPBuffer class]);
    if (range.location % 4 != 0 || range.length % 4 != 0) {
        PMPRaiseInvalidArgument(encoder, selector, @"%s: offset %lu, size %lu, expected multiples of 4", argument,
                                (unsigned long)range.location, (unsigned long)range.length);
    }
    if (!PMPRangeFits(range, buffer.length)) {
        PMPRaiseInvalidArgument(encoder, selector, @"%s: offset %lu, size %lu, expected a part of %lu bytes", argument,
                                (unsigned long)range.location, (unsigned long)range.length,
                                (unsigned long)buffer.length);
    }
}

// The CPU and the device have one copy of the bytes: there is nothing to do but to check.

static void check_managed(PMPBlitCommandEncoder *encoder, SEL selector, const char *argument,
                          id<MTLResource> resource) {
    if (resource.storageMode != MTLStorageModeManaged) {
        PMPRaiseInvalidArgument(encoder, selector, @"%s: storage mode %lu, expected managed", argument,
                                (unsigned long)resource.storageMode);
    }
}

- (void)synchronizeResource:(id<MTLResource>)resource {
    check_open(self, _cmd);
    if (![(id)resource isKindOfClass:[PMPTexture class]]) {
        check_kind(self, _cmd, "resource", resource, [PMPBuffer class]);
    }
    check_managed(self, _cmd, "resource", resource);
}

- (void)synchronizeTexture:(id<MTLTexture>)texture slice:(NSUInteger)slice level:(NSUInteger)level {
    check_open(self, _cmd);
    check_kind(self, _cmd, "texture", texture, [PMPTexture class]);
    PMPCheckTextureRegion((PMPTexture *)texture, MTLRegionMake2D(0, 0, 1, 1), slice, level, self, _cmd);
    check_managed(self, _cmd, "texture", texture);
}

- (void)copyFromBuffer:(id<MTLBuffer>)sourceBuffer
          sourceOffset:(NSUInteger)sourceOffset
              toBuffer:(id<MTLBuffer>)destinationBuffer
     destinationOffset:(NSUInteger)destinationOffset
                  size:(NSUInteger)size {
    check_open(self, _cmd);
    NSRange source = {sourceOffset, size}, destination = {destinationOffset, size}; // NSMakeRange may raise on its own
    check_range(self, _cmd, "sourceBuffer", sourceBuffer, source);
    check_range(self, _cmd, "destinationBuffer", destinationBuffer, destination);
    if (sourceBuffer == destinationBuffer && NSIntersectionRange(source, destination).length > 0) {
        PMPInvalidArgument(@"destinationOffset: %lu, expected no overlap with the %lu bytes at sourceOffset %lu",
                           (unsigned long)destinationOffset, (unsigned long)size, (unsigned long)sourceOffset);
    }
    [_commandBuffer useResource:sourceBuffer];
    [_commandBuffer useResource:destinationBuffer];
    struct copy_record *record = [_commandBuffer appendCommand:copy_command
                                                   recordBytes:sizeof *record
                                                workspaceBytes:0];
    record->source = (const char *)PMPBufferAddress(sourceBuffer) + sourceOffset;
    record->destination = (char *)PMPBufferAddress(destinationBuffer) + destinationOffset;
    record->size = size;
}

- (void)fillBuffer:(id<MTLBuffer>)buffer range:(NSRange)range value:(uint8_t)value {
    check_open(self, _cmd);
    check_range(self, _cmd, "range", buffer, range);
    if (range.length == 0) {
        PMPInvalidArgument(@"range: length 0, expected at least 4");
    }
    [_commandBuffer useResource:buffer];
    struct fill_record *record = [_commandBuffer appendCommand:fill_command
                                                   recordBytes:sizeof *record
                                                workspaceBytes:0];
    record->destination = (char *)PMPBufferAddress(buffer) + range.location;
    record->size = range.length;
    record->value = value;
}

/// One side of a copy is part of a slice, the other side rows in a buffer.
static void encode_slice_copy(PMPBlitCommandEncoder *encoder, SEL selector, PMPCommandFunction function,
                              id<MTLTexture> texture, NSUInteger slice, NSUInteger level, MTLRegion region,
                              id<MTLBuffer> buffer, NSUInteger offset, NSUInteger bytesPerRow) {
    check_open(encoder, selector);
    check_kind(encoder, selector, "texture", texture, [PMPTexture class]);
    check_kind(encoder, selector, "buffer", buffer, [PMPBuffer class]);
    PMPTexture *pixels = (PMPTexture *)texture;
    PMPCheckTextureRegion(pixels, region, slice, level, encoder, selector);
    PMPCheckBufferRows(buffer, offset, bytesPerRow, texture.pixelFormat, region.size.width, region.size.height, encoder,
                       selector);
    [pixels use];
    PMPCommandBuffer *commandBuffer = encoder->_commandBuffer;
    [commandBuffer useResource:texture];
    [commandBuffer useResource:buffer];
    PMPSliceCopy *record = [commandBuffer appendCommand:function recordBytes:sizeof *record workspaceBytes:0];
    *record = PMPSliceCopyMake(pixels, region, slice, (char *)PMPBufferAddress(buffer) + offset, bytesPerRow);
}

- (void)copyFromBuffer:(id<MTLBuffer>)sourceBuffer
           sourceOffset:(NSUInteger)sourceOffset
      sourceBytesPerRow:(NSUInteger)sourceBytesPerRow
    sourceBytesPerImage:(NSUInteger)sourceBytesPerImage
             sourceSize:(MTLSize)sourceSize
              toTexture:(id<MTLTexture>)destinationTexture
       destinationSlice:(NSUInteger)destinationSlice
       destinationLevel:(NSUInteger)destinationLevel
      destinationOrigin:(MTLOrigin)destinationOrigin {
    (void)sourceBytesPerImage;
    MTLRegion region = {destinationOrigin, sourceSize};
    encode_slice_copy(self, _cmd, buffer_to_slice_command, destinationTexture, destinationSlice, destinationLevel,
                      region, sourceBuffer, sourceOffset, sourceBytesPerRow);
}

- (void)copyFromTexture:(id<MTLTexture>)sourceTexture
                 sourceSlice:(NSUInteger)sourceSlice
                 sourceLevel:(NSUInteger)sourceLevel
                sourceOrigin:(MTLOrigin)sourceOrigin
                  sourceSize:(MTLSize)sourceSize
                    toBuffer:(id<MTLBuffer>)destinationBuffer
           destinationOffset:(NSUInteger)destinationOffset
      destinationBytesPerRow:(NSUInteger)destinationBytesPerRow
    destinationBytesPerImage:(NSUInteger)destinationBytesPerImage {
    (void)destinationBytesPerImage;
    MTLRegion region = {sourceOrigin, sourceSize};
    encode_slice_copy(self, _cmd, slice_to_buffer_command, sourceTexture, sourceSlice, sourceLevel, region,
                      destinationBuffer, destinationOffset, destinationBytesPerRow);
}

- (void)endEncoding {
    check_open(self, _cmd);
    _commandBuffer->_encoderIsOpen = NO;
}

static void check_string(PMPBlitCommandEncoder *encoder, SEL selector, NSString *string) {
    check_open(encoder, selector);
    if (string == nil) {
        PMPRaiseInvalidArgument(encoder, selector, @"string: nil, expected a name");
    }
}

- (void)insertDebugSignpost:(NSString *)string {
    check_string(self, _cmd, string);
}

- (void)pushDebugGroup:(NSString *)string {
    check_string(self, _cmd, string);
    _debugGroups++;
}

- (void)popDebugGroup {
    check_open(self, _cmd);
    if (_debugGroups == 0) {
        PMPInvalidArgument(@"receiver: no debug group, expected a pushDebugGroup: before");
    }
    _debugGroups--;
}

@end
