#import "PMPArchive.h"
#import "PMPImageRows.h"

@implementation MPSImageCopyToMatrix

@synthesize destinationMatrixOrigin = _destinationMatrixOrigin;
@synthesize destinationMatrixBatchIndex = _destinationMatrixBatchIndex;
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
    MPSImageCopyToMatrix *copy = [super copyWithZone:zone device:device];
    if (copy != nil) {
        copy->_destinationMatrixOrigin = _destinationMatrixOrigin;
        copy->_destinationMatrixBatchIndex = _destinationMatrixBatchIndex;
        copy->_dataLayout = _dataLayout;
    }
    return copy;
}

- (void)encodeWithCoder:(NSCoder *)aCoder {
    [super encodeWithCoder:aCoder];
    PMPArchiveWrite(aCoder, @"imageCopy",
                    PMPImageRowsPropertyList(_destinationMatrixOrigin, _destinationMatrixBatchIndex, _dataLayout));
}

- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder device:(id<MTLDevice>)device {
    self = [[super initWithCoder:aDecoder device:device] autorelease];
    NSDictionary *archive = self != nil ? PMPArchiveRead(aDecoder, @"imageCopy") : nil;
    if (archive == nil) {
        return nil;
    }
    @try {
        PMPImageRowsReadPropertyList(archive, &_destinationMatrixOrigin, &_destinationMatrixBatchIndex, &_dataLayout,
                                     self, _cmd);
    } @catch (NSException *exception) {
        PMPArchiveFail(aDecoder, exception.reason);
        return nil;
    }
    return [self retain];
}

- (void)encodeImages:(PMPImageSequence)images matrix:(MPSMatrix *)matrix encoding:(PMPEncoding)encoding {
    const PMPImageRows rows = {.images = images,
                               .matrix = PMPMatrixOperand(matrix, @"destinationMatrix"),
                               .origin = _destinationMatrixOrigin,
                               .batchIndex = _destinationMatrixBatchIndex,
                               .layout = _dataLayout};
    if ((_options & MPSKernelOptionsSkipAPIValidation) == 0) {
        PMPImageRowsCheck(&rows, encoding);
    }
    PMPImageRowsEncode(&rows, YES, encoding.commandBuffer);
}

- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                  sourceImage:(MPSImage *)sourceImage
            destinationMatrix:(MPSMatrix *)destinationMatrix {
    const PMPEncoding encoding = {self, _cmd, PMPPortableCommandBuffer(commandBuffer, _cmd)};
    [self encodeImages:(PMPImageSequence) { sourceImage != nil ? @[ sourceImage ] : @[], @"sourceImage" }
                matrix:destinationMatrix
              encoding:encoding];
}

- (void)encodeBatchToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                      sourceImages:(MPSImageBatch *)sourceImages
                 destinationMatrix:(MPSMatrix *)destinationMatrix {
    const PMPEncoding encoding = {self, _cmd, PMPPortableCommandBuffer(commandBuffer, _cmd)};
    [self encodeImages:(PMPImageSequence){sourceImages, @"sourceImages"} matrix:destinationMatrix encoding:encoding];
}

@end
