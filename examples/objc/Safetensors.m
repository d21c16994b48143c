#import "Safetensors.h"

static const NSUInteger LENGTH_BYTES = 8; // of the number that begins the file, little-endian

@implementation Safetensors

- (instancetype)initWithFile:(NSString *)path {
    if ((self = [super init]) != nil) {
        _path = [path copy];
        NSData *file = [NSData dataWithContentsOfFile:path];
        if (file == nil) {
            [self refuse:@"it can't be read"];
        }
        uint64_t headerBytes = 0;
        if (file.length >= LENGTH_BYTES) {
            [file getBytes:&headerBytes length:LENGTH_BYTES];
        }
        if (headerBytes == 0 || headerBytes > file.length - LENGTH_BYTES) {
            [self refuse:@"it is cut short"];
        }
        NSUInteger start = LENGTH_BYTES + (NSUInteger)headerBytes;
        NSData *json = [file subdataWithRange:NSMakeRange(LENGTH_BYTES, start - LENGTH_BYTES)];
        id header = [NSJSONSerialization JSONObjectWithData:json options:0 error:NULL];
        if (![header isKindOfClass:[NSDictionary class]]) {
            [self refuse:@"its header is not JSON"];
        }
        _header = [header retain];
        _numbers = [[file subdataWithRange:NSMakeRange(start, file.length - start)] retain];
    }
    return self;
}

- (void)dealloc {
    [_path release];
    [_header release];
    [_numbers release];
    [super dealloc];
}

- (NSData *)tensor:(NSString *)name type:(NSString *)type shape:(NSArray<NSNumber *> *)shape {
    NSDictionary *entry = [_header objectForKey:name];
    NSArray<NSNumber *> *found = [entry objectForKey:@"shape"];
    NSArray<NSNumber *> *offsets = [entry objectForKey:@"data_offsets"];
    BOOL fits = [[entry objectForKey:@"dtype"] isEqual:type] && found.count == shape.count && offsets.count == 2;
    NSUInteger bytes = [type isEqual:@"U8"] ? 1 : sizeof(float);
    for (NSUInteger axis = 0; fits && axis < shape.count; axis++) {
        NSUInteger wanted = [shape objectAtIndex:axis].unsignedIntegerValue,
                   length = [found objectAtIndex:axis].unsignedIntegerValue;
        fits = wanted == 0 || wanted == length;
        bytes *= length;
    }
    NSUInteger begin = offsets.firstObject.unsignedIntegerValue, end = offsets.lastObject.unsignedIntegerValue;
    if (!fits || begin > end || end > _numbers.length || end - begin != bytes) {
        [self refuse:[NSString stringWithFormat:@"it has no tensor %@ of type %@ and shape %@", name, type,
                                                [shape componentsJoinedByString:@" x "]]];
    }
    return [_numbers subdataWithRange:NSMakeRange(begin, end - begin)];
}

- (void)refuse:(NSString *)reason {
    [NSException raise:NSInvalidArgumentException format:@"%@: %@", _path, reason];
}

@end
