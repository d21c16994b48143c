#import "PMPArchive.h"
#import "PMPBinaryPropertyList.h"

enum { kReadCorruptError = 4864 }; // Apple's NSCoderReadCorruptError

/// NSCoder's, where Foundation has it.
@protocol PMPFailingCoder
- (void)failWithError:(NSError *)error;
@end

/// FNV-1a.
static int64_t checksum(NSData *data) {
    const uint8_t *bytes = data.bytes;
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (NSUInteger i = 0, length = data.length; i < length; i++) {
        hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
    }
    return (int64_t)hash;
}

static NSString *checksum_key(NSString *key) {
    return [key stringByAppendingString:@"Checksum"];
}

void PMPArchiveWrite(NSCoder *coder, NSString *key, NSDictionary *propertyList) {
    NSData *data = [NSPropertyListSerialization dataWithPropertyList:propertyList
                                                              format:NSPropertyListBinaryFormat_v1_0
                                                             options:0
                                                               error:NULL];
    if (data == nil || data.length > UINT32_MAX) { // GNUstep's archives end there
        [NSException raise:NSInvalidArchiveOperationException format:@"%@: more than an archive can hold", key];
    }
    [coder encodeBytes:data.bytes length:data.length forKey:key];
    [coder encodeInt64:checksum(data) forKey:checksum_key(key)];
}

NSDictionary *PMPArchiveRead(NSCoder *coder, NSString *key) {
    NSUInteger length = 0;
    const uint8_t *bytes = [coder decodeBytesForKey:key returnedLength:&length];
    NSData *data = [NSData dataWithBytesNoCopy:(void *)bytes length:length freeWhenDone:NO];
    NSDictionary *list = nil;
    if ([coder decodeInt64ForKey:checksum_key(key)] == checksum(data) && PMPBinaryPropertyListIsSound(data)) {
        list = [NSPropertyListSerialization propertyListWithData:data
                                                         options:NSPropertyListImmutable
                                                          format:NULL
                                                           error:NULL];
    }
    if (![list isKindOfClass:[NSDictionary class]]) {
        PMPArchiveFail(coder, [NSString stringWithFormat:@"%@: missing or damaged", key]);
        return nil;
    }
    return list;
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

static BOOL is_float(NSNumber *number) {
    return strcmp(number.objCType, @encode(float)) == 0;
}

NSNumber *PMPArchivedNumber(NSNumber *number) {
    float value = number.floatValue;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return is_float(number) ? @(bits) : number;
}

NSNumber *PMPUnarchivedNumber(NSNumber *archived, NSNumber *like) {
    uint32_t bits = archived.unsignedIntValue;
    float value;
    memcpy(&value, &bits, sizeof value);
    return is_float(like) ? @(value) : archived;
}

id PMPPropertyListValue(id dictionary, NSString *key, Class class, PMPArgument argument) {
    id value = [dictionary isKindOfClass:[NSDictionary class]] ? [dictionary objectForKey:key] : nil;
    if (![value isKindOfClass:class]) {
        PMPRaiseInvalid(PMPArgumentPart(argument, key), @"%@, expected an %@", [value class], class);
    }
    return value;
}

NSNumber *PMPPropertyListFlag(id dictionary, NSString *key, PMPArgument argument) {
    return @([PMPPropertyListValue(dictionary, key, [NSNumber class], argument) longLongValue] != 0);
}
