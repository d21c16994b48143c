// Reads files in the safetensors format: the length of a JSON header, the header, then the tensors' numbers.
#import <Foundation/Foundation.h>

NS_ASSUME_NONNULL_BEGIN

@interface Safetensors : NSObject {
    NSString *_path;
    NSDictionary<NSString *, NSDictionary *> *_header;
    NSData *_numbers;
}

/// Raises NSInvalidArgumentException where the file can't be read.
- (instancetype)initWithFile:(NSString *)path;

/// A copy of a tensor's numbers in row-major order. Raises NSInvalidArgumentException unless the file has the tensor
/// with that type ("F32", "U8", ...) and shape; a dimension of 0 stands for any length.
- (NSData *)tensor:(NSString *)name type:(NSString *)type shape:(NSArray<NSNumber *> *)shape;

@end

NS_ASSUME_NONNULL_END
