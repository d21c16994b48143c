#import "PMPBinaryPropertyList.h"

// Eight bytes of header; objects; their offsets, as a table; a trailer of 32 bytes. All numbers are big-endian.
enum { kHeaderBytes = 8, kTrailerBytes = 32 };

// Kernels nest less than ten deep, which leaves some for the containers that they are in.
enum { kMostDepth = 32 };

// Equal objects are stored once: a list holds up to this many times its bytes. That is the memory of reading it, where
// each object has some of its own.
enum { kMostExpansion = 1024, kObjectBytes = 64 };

enum {
    kInteger = 0x1,
    kReal,
    kDate,
    kData,
    kASCIIString,
    kUTF16String,
    kIdentifier = 0x8,
    kArray = 0xA,
    kDictionary = 0xD
};

typedef struct Object {
    uint8_t kind;
    uint64_t count;
    const uint8_t *elements;
    uint64_t bytes; // of all elements
} Object;

typedef struct PropertyList {
    const uint8_t *bytes;
    uint64_t offsetBytes, referenceBytes; // of one
    uint64_t objectCount, table, top;
    Object archived;    // of a keyed archive: the array of its objects; else empty
    uint64_t allowance; // bytes that may still be read
} PropertyList;

static uint64_t read_number(const uint8_t *bytes, uint64_t count) {
    uint64_t number = 0;
    for (uint64_t i = 0; i < count; i++) {
        number = number << 8 | bytes[i];
    }
    return number;
}

static bool read_trailer(NSData *data, PropertyList *list) {
    uint64_t length = data.length;
    if (length < kHeaderBytes + kTrailerBytes || length > UINT32_MAX || // GNUstep counts in 32 bits
        memcmp(data.bytes, "bplist00", kHeaderBytes) != 0) {
        return false;
    }
    const uint8_t *trailer = (const uint8_t *)data.bytes + length - kTrailerBytes;
    *list = (PropertyList){.bytes = data.bytes,
                           .offsetBytes = trailer[6],
                           .referenceBytes = trailer[7],
                           .objectCount = read_number(trailer + 8, 8),
                           .top = read_number(trailer + 16, 8),
                           .table = read_number(trailer + 24, 8),
                           .allowance = length * kMostExpansion};
    uint64_t tableBytes, end;
    return list->offsetBytes >= 1 && list->offsetBytes <= 4 && list->referenceBytes >= 1 && list->referenceBytes <= 4 &&
           list->table >= kHeaderBytes && !__builtin_mul_overflow(list->objectCount, list->offsetBytes, &tableBytes) &&
           !__builtin_add_overflow(list->table, tableBytes, &end) && end <= length - kTrailerBytes;
}

/// The count that follows the byte before `*position`, in an integer of 1, 2 or 4 bytes. Moves behind it.
static bool read_long_count(const PropertyList *list, uint64_t *position, uint64_t *count) {
    if (*position >= list->table || list->bytes[*position] < 0x10 || list->bytes[*position] > 0x12) {
        return false;
    }
    uint64_t bytes = UINT64_C(1) << (list->bytes[(*position)++] & 0x0F);
    if (bytes > list->table - *position) {
        return false;
    }
    *count = read_number(list->bytes + *position, bytes);
    *position += bytes;
    return true;
}

/// Bytes of an element of the kind; 0 where there is no such object.
static uint64_t element_bytes(const PropertyList *list, uint8_t kind, uint8_t size) {
    switch (kind) {
    case 0x0: // false, true
        return size == 8 || size == 9;
    case kInteger:
        return size <= 3 ? UINT64_C(1) << size : 0;
    case kReal:
        return size == 2 || size == 3 ? UINT64_C(1) << size : 0;
    case kDate:
        return size == 3 ? 8 : 0;
    case kData:
    case kASCIIString:
        return 1;
    case kUTF16String:
        return 2;
    case kIdentifier: // GNUstep reads none of more than 2 bytes
        return size < 2 ? size + UINT64_C(1) : 0;
    case kArray:
        return list->referenceBytes;
    case kDictionary: // keys, then values
        return 2 * list->referenceBytes;
    default:
        return 0;
    }
}

/// False where there is no such object, or one that does not end before the table.
static bool read_object(const PropertyList *list, uint64_t index, Object *object) {
    if (index >= list->objectCount) {
        return false;
    }
    uint64_t position = read_number(list->bytes + list->table + index * list->offsetBytes, list->offsetBytes);
    if (position < kHeaderBytes || position >= list->table) {
        return false;
    }
    uint8_t kind = list->bytes[position] >> 4, size = list->bytes[position] & 0x0F;
    uint64_t each = element_bytes(list, kind, size);
    bool isCounted = (kind >= kData && kind <= kUTF16String) || kind == kArray || kind == kDictionary;
    *object = (Object){.kind = kind, .count = isCounted ? size : kind != 0x0};
    position++;
    if (isCounted && size == 0x0F && !read_long_count(list, &position, &object->count)) {
        return false;
    }
    object->elements = list->bytes + position;
    return each != 0 && !__builtin_mul_overflow(object->count, each, &object->bytes) &&
           object->bytes <= list->table - position;
}

static uint64_t reference(const PropertyList *list, const Object *container, uint64_t index) {
    return read_number(container->elements + index * list->referenceBytes, list->referenceBytes);
}

static bool is_ascii(const Object *string) {
    uint8_t all = 0;
    for (uint64_t i = 0; i < string->count; i++) {
        all |= string->elements[i];
    }
    return all < 0x80;
}

/// Surrogates stand in pairs.
static bool is_utf16(const Object *string) {
    bool isPaired = true;
    for (uint64_t i = 0; i < string->count; i++) {
        uint8_t unit = string->elements[2 * i] & 0xFC; // six bits, which tell surrogates
        bool isSecond = unit == 0xDC;
        if (isSecond == isPaired) {
            return false;
        }
        isPaired = unit != 0xD8;
    }
    return isPaired;
}

static bool is_equal(const Object *string, const char *expected) {
    return string->count == strlen(expected) && memcmp(string->elements, expected, string->count) == 0;
}

static bool is_sound(PropertyList *list, uint64_t index, unsigned depth);

/// Keys are ASCII. GNUstep takes a dictionary with the key CF$UID for an identifier.
static bool keys_are_sound(const PropertyList *list, const Object *dictionary) {
    for (uint64_t i = 0; i < dictionary->count; i++) {
        Object key;
        if (!read_object(list, reference(list, dictionary, i), &key) || key.kind != kASCIIString ||
            is_equal(&key, "CF$UID")) {
            return false;
        }
    }
    return true;
}

static bool elements_are_sound(PropertyList *list, const Object *container, unsigned depth) {
    for (uint64_t i = 0; i < container->bytes / list->referenceBytes; i++) {
        if (!is_sound(list, reference(list, container, i), depth - 1)) {
            return false;
        }
    }
    return true;
}

/// Goes wherever a reader goes, along identifiers too: what contains itself is too deep.
static bool is_sound(PropertyList *list, uint64_t index, unsigned depth) {
    Object object;
    if (depth == 0 || !read_object(list, index, &object) || object.bytes + kObjectBytes > list->allowance) {
        return false;
    }
    list->allowance -= object.bytes + kObjectBytes;
    switch (object.kind) {
    case kASCIIString:
        return is_ascii(&object);
    case kUTF16String:
        return is_utf16(&object); // else GNUstep puts nil into a container
    case kIdentifier: {
        uint64_t identifier = read_number(object.elements, object.bytes);
        return identifier < list->archived.count &&
               is_sound(list, reference(list, &list->archived, identifier), depth - 1);
    }
    case kDictionary:
        return keys_are_sound(list, &object) && elements_are_sound(list, &object, depth);
    case kArray:
        return elements_are_sound(list, &object, depth);
    default:
        return true;
    }
}

/// Finds what a keyed archive has in the dictionary at its top: one array with the key $objects.
static bool find_archived(PropertyList *list) {
    Object top, key;
    if (!read_object(list, list->top, &top) || top.kind != kDictionary) {
        return false;
    }
    for (uint64_t i = 0; i < top.count; i++) {
        if (!read_object(list, reference(list, &top, i), &key) || !is_equal(&key, "$objects")) {
            continue;
        }
        bool isFirst = list->archived.elements == NULL;
        if (!isFirst || !read_object(list, reference(list, &top, top.count + i), &list->archived)) {
            return false;
        }
    }
    return list->archived.kind == kArray;
}

bool PMPBinaryPropertyListIsSound(NSData *data) {
    PropertyList list;
    return read_trailer(data, &list) && is_sound(&list, list.top, kMostDepth);
}

bool PMPKeyedArchiveIsSound(NSData *data) {
    PropertyList list;
    return read_trailer(data, &list) && find_archived(&list) && is_sound(&list, list.top, kMostDepth);
}
