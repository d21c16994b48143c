// Binary property lists, which keyed archives are.
#import <Foundation/Foundation.h>

/// Whether every part of a binary property list lies within its bytes, every reference leads to an object, and every
/// identifier to one of a keyed archive's objects. Foundation takes that on trust: GNUstep's reads beyond the end of
/// damaged ones.
bool PMPBinaryPropertyListIsSound(NSData *data);
