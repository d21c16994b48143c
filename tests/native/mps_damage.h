// Damage to archives, and checksums that are forged to fit it.
#import "mps_test.h"

/// What comes out of damaged bytes: an object or an error, never both and never neither.
static inline id survivor(NSData *data, NSSet<Class> *classes) {
    NSError *error = nil;
    id object = [MPSKeyedUnarchiver unarchivedObjectOfClasses:classes fromData:data device:device error:&error];
    if ((object == nil) != (error.localizedDescription.length > 0)) {
        CHECK(!"an object, or an error with a text");
    }
    return object;
}

static inline uint64_t fnv1a(NSData *data) {
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (NSUInteger i = 0; i < data.length; i++) {
        hash = (hash ^ ((const uint8_t *)data.bytes)[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

/// The place of a checksum in an archive, as a big-endian number.
static inline NSRange find_number(NSData *archive, uint64_t number) {
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(number >> (56 - 8 * i));
    }
    NSData *pattern = [NSData dataWithBytes:bytes length:sizeof bytes];
    return [archive rangeOfData:pattern options:0 range:NSMakeRange(0, archive.length)];
}

/// Where in the archive the list lies that has a checksum there: it begins like every list, and the sum fits. It is
/// longer than that of an MPSKernel, which has less than `least` bytes.
static inline NSRange find_list(NSData *archive, NSUInteger least, NSUInteger *checksum) {
    NSData *magic = [NSData dataWithBytes:"bplist00" length:8];
    NSRange rest = NSMakeRange(1, archive.length - 1);
    for (;;) {
        NSRange begin = [archive rangeOfData:magic options:0 range:rest];
        if (begin.location == NSNotFound) {
            return begin;
        }
        for (NSUInteger end = archive.length; end >= begin.location + least; end--) {
            NSRange list = NSMakeRange(begin.location, end - begin.location);
            NSRange sum = find_number(archive, fnv1a([archive subdataWithRange:list]));
            if (sum.location != NSNotFound) {
                *checksum = sum.location;
                return list;
            }
        }
        rest = NSMakeRange(begin.location + 1, archive.length - begin.location - 1);
    }
}

static inline void write_number(NSMutableData *data, NSUInteger place, uint64_t number) {
    for (int i = 0; i < 8; i++) {
        ((uint8_t *)data.mutableBytes)[place + i] = (uint8_t)(number >> (56 - 8 * i));
    }
}
