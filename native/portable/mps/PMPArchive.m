#import "PMPArchive.h"
#import "PMPBinaryPropertyList.h"

enum { kReadCorruptError = 4864 }; // Apple's NSCoderReadCorruptError

/// NSCoder's, where Foundation has it.
@protocol PMPFailingCoder
- (void)failWithError:(NSError *)error;
@end

/// FNV-1a, in bytes of a fixed order.
static NSData *checksum(NSData *data) {
    const uint8_t *bytes = data.bytes;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (NSUInteger i = 0, length = data.length; i < length; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    uint8_t sum[8];
    for (int i = 0; i < 8; i++) {
        sum[i] = (uint8_t)(hash >> 8 * i);
    }
    return [NSData dataWithBytes:sum length:sizeof sum];
}

void PMPArchiveWrite(NSCoder *coder, NSString *key, NSDictionary *propertyList) {
    NSData *data = [NSPropertyListSerialization dataWithPropertyList:propertyList
                                                              format:NSPropertyListBinaryFormat_v1_0
                                                             options:0
                                                               error:NULL];
    [coder encodeObject:data forKey:key];
    [coder encodeObject:checksum(data) forKey:[key stringByAppendingString:@"Checksum"]];
}

NSDictionary *PMPArchiveRead(NSCoder *coder, NSString *key) {
    NSData *data = [coder decodeObjectOfClass:[NSData class] forKey:key];
    NSData *sum = [coder decodeObjectOfClass:[NSData class] forKey:[key stringByAppendingString:@"Checksum"]];
    if (![data isKindOfClass:[NSData class]] || ![sum isEqual:checksum(data)] || !PMPBinaryPropertyListIsSound(data)) {
        PMPArchiveFail(coder, [NSString stringWithFormat:@"%@: missing or damaged", key]);
        return nil;
    }
    return [NSPropertyListSerialization propertyListWithData:data
                                                     options:NSPropertyListImmutable
                                                      format:NULL
                                                       error:NULL];
}

NSError *PMPArchiveError(NSString *reason) {
    return [NSError errorWithDomain:NSCocoaErrorDomain
                               code:kReadCorruptError
                           userInfo:@{NSLocalizedDescriptionKey : reason}];
}

void PMPArchiveFail(NSCoder *coder, NSString *reason) {
    if ([coder respondsToSelector:@selector(failWithError:)]) {
        [(id<PMPFailingCoder>)coder failWithError:PMPArchiveError(reason)];
    }
}

id PMPPropertyListValue(id dictionary, NSString *key, Class class, PMPArgument argument) {
    id value = [dictionary isKindOfClass:[NSDictionary class]] ? [dictionary objectForKey:key] : nil;
    if (![value isKindOfClass:class]) {
        PMPRaiseInvalid(PMPArgumentPart(argument, key), @"%@, expected an %@", [value class], class);
    }
    return value;
}
