#import "PMPArchive.h"
#import "PMPMatrixCopy.h"

@implementation MPSMatrixCopy

@synthesize copyRows = _copyRows, copyColumns = _copyColumns;
@synthesize sourcesAreTransposed = _sourcesAreTransposed, destinationsAreTransposed = _destinationsAreTransposed;

- (instancetype)initWithDevice:(id<MTLDevice>)device
                      copyRows:(NSUInteger)copyRows
                   copyColumns:(NSUInteger)copyColumns
          sourcesAreTransposed:(BOOL)sourcesAreTransposed
     destinationsAreTransposed:(BOOL)destinationsAreTransposed {
    self = [[super initWithDevice:device] autorelease]; // a violation leaves nothing behind
    if (copyRows == 0 || copyColumns == 0) {
        PMPInvalidArgument(@"copyRows and copyColumns: %lu x %lu, expected at least one of each",
                           (unsigned long)copyRows, (unsigned long)copyColumns);
    }
    if (self != nil) {
        _copyRows = copyRows;
        _copyColumns = copyColumns;
        _sourcesAreTransposed = sourcesAreTransposed;
        _destinationsAreTransposed = destinationsAreTransposed;
    }
    return [self retain];
}

- (instancetype)initWithDevice:(id<MTLDevice>)device {
    (void)device;
    [self autorelease];
    PMPInvalidArgument(@"receiver: a copy is made from the size of its blocks");
}

- (instancetype)copyWithZone:(nullable NSZone *)zone device:(nullable id<MTLDevice>)device {
    MPSMatrixCopy *copy = [[[self class] allocWithZone:zone] initWithDevice:device != nil ? device : _device
                                                                   copyRows:_copyRows
                                                                copyColumns:_copyColumns
                                                       sourcesAreTransposed:_sourcesAreTransposed
                                                  destinationsAreTransposed:_destinationsAreTransposed];
    copy.options = _options;
    copy.label = self.label;
    return copy;
}

- (void)encodeWithCoder:(NSCoder *)aCoder {
    [super encodeWithCoder:aCoder];
    PMPArchiveWrite(aCoder, @"matrixCopy", @{
        @"copyRows" : @(_copyRows),
        @"copyColumns" : @(_copyColumns),
        @"sourcesAreTransposed" : @(_sourcesAreTransposed),
        @"destinationsAreTransposed" : @(_destinationsAreTransposed),
    });
}

- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder device:(id<MTLDevice>)device {
    self = [[super initWithCoder:aDecoder device:device] autorelease];
    NSDictionary *archive = self != nil ? PMPArchiveRead(aDecoder, @"matrixCopy") : nil;
    if (archive == nil) {
        return nil;
    }
    const PMPArgument argument = {self, _cmd, @"matrixCopy"};
    @try {
        for (NSString *name in @[ @"copyRows", @"copyColumns" ]) {
            [self setValue:PMPPropertyListValue(archive, name, [NSNumber class], argument) forKey:name];
        }
        for (NSString *name in @[ @"sourcesAreTransposed", @"destinationsAreTransposed" ]) {
            [self setValue:PMPPropertyListFlag(archive, name, argument) forKey:name];
        }
        if (_copyRows == 0 || _copyColumns == 0) {
            PMPRaiseInvalid(argument, @"blocks of %lu x %lu", (unsigned long)_copyRows, (unsigned long)_copyColumns);
        }
    } @catch (NSException *exception) {
        PMPArchiveFail(aDecoder, exception.reason);
        return nil;
    }
    return [self retain];
}

- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
               copyDescriptor:(MPSMatrixCopyDescriptor *)copyDescriptor {
    [self encodeToCommandBuffer:commandBuffer
                 copyDescriptor:copyDescriptor
              rowPermuteIndices:nil
               rowPermuteOffset:0
           columnPermuteIndices:nil
            columnPermuteOffset:0];
}

- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
               copyDescriptor:(MPSMatrixCopyDescriptor *)copyDescriptor
            rowPermuteIndices:(nullable MPSVector *)rowPermuteIndices
             rowPermuteOffset:(NSUInteger)rowPermuteOffset
         columnPermuteIndices:(nullable MPSVector *)columnPermuteIndices
          columnPermuteOffset:(NSUInteger)columnPermuteOffset {
    const PMPEncoding encoding = {self, _cmd, PMPPortableCommandBuffer(commandBuffer, _cmd)};
    const PMPMatrixCopies copies = {
        .descriptor = copyDescriptor,
        .sourceRows = _sourcesAreTransposed ? _copyColumns : _copyRows,
        .sourceColumns = _sourcesAreTransposed ? _copyRows : _copyColumns,
        .destinationRows = _destinationsAreTransposed ? _copyColumns : _copyRows,
        .destinationColumns = _destinationsAreTransposed ? _copyRows : _copyColumns,
        .areTransposed = _sourcesAreTransposed != _destinationsAreTransposed,
        .rowIndices = PMPVectorOperand(rowPermuteIndices, @"rowPermuteIndices"),
        .columnIndices = PMPVectorOperand(columnPermuteIndices, @"columnPermuteIndices"),
        .rowIndexOffset = rowPermuteOffset,
        .columnIndexOffset = columnPermuteOffset,
    };
    if ((_options & MPSKernelOptionsSkipAPIValidation) == 0) {
        PMPMatrixCopiesCheck(&copies, _device, encoding);
    }
    PMPMatrixCopiesEncode(&copies, encoding.commandBuffer);
}

@end
