#import "PMPArchive.h"
#import "PMPImageRows.h"

@implementation MPSMatrixCopyToImage

@synthesize sourceMatrixOrigin = _sourceMatrixOrigin;
@synthesize sourceMatrixBatchIndex = _sourceMatrixBatchIndex;
@synthesize dataLayout = _dataLayout;

- (instancetype)initWithDevice:(id<MTLDevice>)device {
    return [self initWithDevice:device dataLayout:MPSDataLayoutFeatureChannelsxHeightxWidth];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device dataLayout:(MPSDataLayout)dataLayout {
    self = [[super initWithDevice:device] autorelease]; // a violation leaves nothing behind
    PMPImageRowsCheckLayout(dataLayout, self, _cmd);
    if (self != nil) {
        _dataLayout = dataLayout;
    }
    return [self retain];
}

- (instancetype)copyWithZone:(nullable NSZone *)zone device:(nullable id<MTLDevice>)device {
    MPSMatrixCopyToImage *copy = [super copyWithZone:zone device:device];
    if (copy != nil) {
        copy->_sourceMatrixOrigin = _sourceMatrixOrigin;
        copy->_sourceMatrixBatchIndex = _sourceMatrixBatchIndex;
        copy->_dataLayout = _dataLayout;
    }
    return copy;
}

- (void)encodeWithCoder:(NSCoder *)aCoder {
    [super encodeWithCoder:aCoder];
    PMPArchiveWrite(aCoder, @"imageCopy",
                    PMPImageRowsPropertyList(_sourceMatrixOrigin, _sourceMatrixBatchIndex, _dataLayout));
}

- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder device:(id<MTLDevice>)device {
    self = [[super initWithCoder:aDecoder device:device] autorelease];
    NSDictionary *archive = self != nil ? PMPArchiveRead(aDecoder, @"imageCopy") : nil;
    if (archive == nil) {
        return nil;
    }
    @try {
        PMPImageRowsReadPropertyList(archive, &_sourceMatrixOrigin, &_sourceMatrixBatchIndex, &_dataLayout, self, _cmd);
    } @catch (NSException *exception) {
        PMPArchiveFail(aDecoder, exception.reason);
        return nil;
    }
    return [self retain];
}

- (void)encodeImages:(PMPImageSequence)images matrix:(MPSMatrix *)matrix encoding:(PMPEncoding)encoding {
    const PMPImageRows rows = {.images = images,
                               .matrix = PMPMatrixOperand(matrix, @"sourceMatrix"),
                               .origin = _sourceMatrixOrigin,
                               .batchIndex = _sourceMatrixBatchIndex,
                               .layout = _dataLayout};
    if ((_options & MPSKernelOptionsSkipAPIValidation) == 0) {
        PMPImageRowsCheck(&rows, encoding);
    }
    PMPImageRowsEncode(&rows, NO, encoding.commandBuffer);
}

- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                 sourceMatrix:(MPSMatrix *)sourceMatrix
             destinationImage:(MPSImage *)destinationImage {
    const PMPEncoding encoding = {self, _cmd, PMPPortableCommandBuffer(commandBuffer, _cmd)};
    [self encodeImages:(PMPImageSequence) { destinationImage != nil ? @[ destinationImage ] : @[], @"destinationImage" }
                matrix:sourceMatrix
              encoding:encoding];
}

- (void)encodeBatchToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                      sourceMatrix:(MPSMatrix *)sourceMatrix
                 destinationImages:(MPSImageBatch *)destinationImages {
    const PMPEncoding encoding = {self, _cmd, PMPPortableCommandBuffer(commandBuffer, _cmd)};
    [self encodeImages:(PMPImageSequence){destinationImages, @"destinationImages"}
                matrix:sourceMatrix
              encoding:encoding];
}

@end
