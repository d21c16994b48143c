// Property lists in keyed archives, with a checksum: what comes out is what went in, or nothing.
#import "PMPArgument.h"

void PMPArchiveWrite(NSCoder *coder, NSString *key, NSDictionary *propertyList);

/// nil where there is none, or one that was damaged; the coder then knows why.
NSDictionary *PMPArchiveRead(NSCoder *coder, NSString *key);

/// Tells a coder that can be told (Apple's all, else MPSKeyedUnarchiver) why an object can't be read.
void PMPArchiveFail(NSCoder *coder, NSString *reason);

/// The error that stands for a damaged archive.
NSError *PMPArchiveError(NSString *reason);

/// A number as it stands in a property list: of a float its bits, since NaN, which equals nothing, can't stand there.
NSNumber *PMPArchivedNumber(NSNumber *number);

/// The number again; `like` is any of its type.
NSNumber *PMPUnarchivedNumber(NSNumber *archived, NSNumber *like);

/// The value of this class in a dictionary; raises where there is none.
id PMPPropertyListValue(id dictionary, NSString *key, Class class, PMPArgument argument);

/// A number for a BOOL, which holds nothing else than YES and NO: 1 or 0, whatever the number in the dictionary is.
NSNumber *PMPPropertyListFlag(id dictionary, NSString *key, PMPArgument argument);
