#import "PMPArgument.h"
#import "PMPDataType.h"

@implementation MPSVectorDescriptor

@synthesize length = _length, vectors = _vectors, vectorBytes = _vectorBytes, dataType = _dataType;

+ (instancetype)vectorDescriptorWithLength:(NSUInteger)length dataType:(MPSDataType)dataType {
    return [self vectorDescriptorWithLength:length
                                    vectors:1
                                vectorBytes:[self vectorBytesForLength:length dataType:dataType]
                                   dataType:dataType];
}

+ (instancetype)vectorDescriptorWithLength:(NSUInteger)length
                                   vectors:(NSUInteger)vectors
                               vectorBytes:(NSUInteger)vectorBytes
                                  dataType:(MPSDataType)dataType {
    MPSVectorDescriptor *descriptor = [[[self alloc] init] autorelease];
    descriptor->_length = length;
    descriptor->_vectors = vectors;
    descriptor->_vectorBytes = vectorBytes;
    descriptor->_dataType = dataType;
    return descriptor;
}

+ (size_t)vectorBytesForLength:(NSUInteger)length dataType:(MPSDataType)dataType {
    size_t bytes;
    if (!PMPRowBytes(length, dataType, &bytes)) {
        PMPInvalidArgument(@"length: %lu of data type 0x%x have no size", (unsigned long)length, dataType);
    }
    return bytes;
}

@end
