// Binary property lists from anywhere, checked before Foundation reads them: GNUstep's reader trusts their offsets,
// copies a part wherever it is referred to, and its unarchiver crashes without the objects that it expects.
#import <Foundation/Foundation.h>

/// Whether a binary property list lies within its bytes, nests only so deep, and is not far larger than they are.
bool PMPBinaryPropertyListIsSound(NSData *data);

/// The same of a keyed archive. It has a list of archived objects, its identifiers are of those, and no object is part
/// of itself.
bool PMPKeyedArchiveIsSound(NSData *data);
