#import "PMPBinaryPropertyList.h"

// Eight bytes of header; objects; their offsets, as a table; a trailer of 32 bytes. All numbers are big-endian.
enum { kHeaderBytes = 8, kTrailerBytes = 32 };

typedef struct PropertyList {
    const uint8_t *bytes;
    uint64_t offsetBytes, referenceBytes; // of one
    uint64_t objectCount, table, top;
    uint64_t archivedCount; // objects of a keyed archive; 0 where the list is none
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
    if (length < kHeaderBytes + kTrailerBytes || memcmp(data.bytes, "bplist00", kHeaderBytes) != 0) {
        return false;
    }
    const uint8_t *trailer = (const uint8_t *)data.bytes + length - kTrailerBytes;
    *list = (PropertyList){.bytes = data.bytes,
                           .offsetBytes = trailer[6],
                           .referenceBytes = trailer[7],
                           .objectCount = read_number(trailer + 8, 8),
                           .top = read_number(trailer + 16, 8),
                           .table = read_number(trailer + 24, 8)};
    uint64_t tableBytes, end;
    return list->offsetBytes >= 1 && list->offsetBytes <= 8 && list->referenceBytes >= 1 && list->referenceBytes <= 8 &&
           list->top < list->objectCount && list->table >= kHeaderBytes &&
           !__builtin_mul_overflow(list->objectCount, list->offsetBytes, &tableBytes) &&
           !__builtin_add_overflow(list->table, tableBytes, &end) && end <= length - kTrailerBytes;
}

/// Reads how many elements the object at `*position` has, and moves behind that.
static bool read_count(const PropertyList *list, uint64_t *position, uint64_t *count) {
    *count = list->bytes[(*position)++] & 0x0F;
    if (*count < 0x0F) {
        return true;
    }
    if (*position >= list->table || (list->bytes[*position] & 0xF0) != 0x10) {
        return false; // no integer follows
    }
    uint64_t bytes = UINT64_C(1) << (list->bytes[(*position)++] & 0x0F);
    if (bytes > 8 || bytes > list->table - *position) {
        return false;
    }
    *count = read_number(list->bytes + *position, bytes);
    *position += bytes;
    return true;
}

static bool elements_fit(const PropertyList *list, uint64_t position, uint64_t count, uint64_t elementBytes) {
    uint64_t bytes;
    return !__builtin_mul_overflow(count, elementBytes, &bytes) && bytes <= list->table - position;
}

static bool references_are_sound(const PropertyList *list, uint64_t position, uint64_t count) {
    if (!elements_fit(list, position, count, list->referenceBytes)) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        const uint8_t *reference = list->bytes + position + i * list->referenceBytes;
        if (read_number(reference, list->referenceBytes) >= list->objectCount) {
            return false;
        }
    }
    return true;
}

static bool is_ascii(const uint8_t *bytes, uint64_t count) {
    uint8_t all = 0;
    for (uint64_t i = 0; i < count; i++) {
        all |= bytes[i];
    }
    return all < 0x80;
}

static bool object_is_sound(const PropertyList *list, uint64_t position) {
    if (position < kHeaderBytes || position >= list->table) {
        return false;
    }
    uint8_t kind = list->bytes[position] >> 4, size = list->bytes[position] & 0x0F;
    uint64_t count;
    switch (kind) {
    case 0x0: // null, false, true
        return size == 0 || size == 8 || size == 9;
    case 0x1: // integer of 2^size bytes
        return size <= 4 && elements_fit(list, position + 1, 1, UINT64_C(1) << size);
    case 0x2: // real number
        return (size == 2 || size == 3) && elements_fit(list, position + 1, 1, UINT64_C(1) << size);
    case 0x3: // date
        return size == 3 && elements_fit(list, position + 1, 1, 8);
    case 0x4: // data
        return read_count(list, &position, &count) && elements_fit(list, position, count, 1);
    case 0x5:
        return read_count(list, &position, &count) && elements_fit(list, position, count, 1) &&
               is_ascii(list->bytes + position, count);
    case 0x6: // UTF-16
        return read_count(list, &position, &count) && elements_fit(list, position, count, 2);
    case 0x8: // identifier of an archived object, of size + 1 bytes
        return elements_fit(list, position + 1, 1, size + 1) && size < 8 &&
               read_number(list->bytes + position + 1, size + 1) < list->archivedCount;
    case 0xA: // array
        return read_count(list, &position, &count) && references_are_sound(list, position, count);
    case 0xD: // dictionary: keys, then values
        return read_count(list, &position, &count) && count <= UINT64_MAX / 2 &&
               references_are_sound(list, position, 2 * count);
    default:
        return false;
    }
}

static uint64_t position_of(const PropertyList *list, uint64_t object) {
    return read_number(list->bytes + list->table + object * list->offsetBytes, list->offsetBytes);
}

/// Reads the count of an object of a kind, and moves from where it begins to its elements. False where it is of another
/// kind or does not fit.
static bool enter(const PropertyList *list, uint64_t object, uint8_t kind, uint64_t *position, uint64_t *count) {
    *position = position_of(list, object);
    return *position >= kHeaderBytes && *position < list->table && list->bytes[*position] >> 4 == kind &&
           object_is_sound(list, *position) && read_count(list, position, count);
}

static uint64_t referenced(const PropertyList *list, uint64_t position, uint64_t index) {
    return read_number(list->bytes + position + index * list->referenceBytes, list->referenceBytes);
}

/// How many objects a keyed archive has: those in the array "$objects" of the dictionary at the top.
static uint64_t archived_count(const PropertyList *list) {
    static const char name[] = {'$', 'o', 'b', 'j', 'e', 'c', 't', 's'};
    uint64_t count, length, keys, key, objects;
    if (!enter(list, list->top, 0xD, &keys, &count)) {
        return 0;
    }
    for (uint64_t i = 0; i < count; i++) {
        if (enter(list, referenced(list, keys, i), 0x5, &key, &length) && length == sizeof name &&
            memcmp(list->bytes + key, name, sizeof name) == 0) {
            return enter(list, referenced(list, keys, count + i), 0xA, &objects, &length) ? length : 0;
        }
    }
    return 0;
}

bool PMPBinaryPropertyListIsSound(NSData *data) {
    PropertyList list;
    if (!read_trailer(data, &list)) {
        return false;
    }
    list.archivedCount = archived_count(&list);
    for (uint64_t i = 0; i < list.objectCount; i++) {
        if (!object_is_sound(&list, position_of(&list, i))) {
            return false;
        }
    }
    return true;
}
