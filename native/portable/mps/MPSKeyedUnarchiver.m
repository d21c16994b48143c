#import "PMPArchive.h"
#import "PMPBinaryPropertyList.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

static void report(NSError **error, NSString *reason) {
    if (error != NULL) {
        *error = PMPArchiveError(reason);
    }
}

/// A class's name without the prefix that portable classes have on a Mac: archives travel.
static NSString *plain_name(NSString *name) {
    return [name hasPrefix:@"PMP_"] ? [name substringFromIndex:4] : name;
}

@implementation MPSKeyedUnarchiver

+ (nullable id)unarchivedObjectOfClasses:(NSSet<Class> *)classes
                                fromData:(NSData *)data
                                  device:(id<MTLDevice>)device
                                   error:(NSError *_Nullable *_Nullable)error {
    MPSKeyedUnarchiver *unarchiver = [[[self alloc] initForReadingFromData:data device:device error:error] autorelease];
    id object = nil;
    @try {
        object = [unarchiver decodeObjectOfClasses:classes forKey:@"root"];
        [unarchiver finishDecoding];
    } @catch (NSException *exception) {
        report(error, exception.reason);
        return nil;
    }
    if (object == nil && unarchiver != nil && error != NULL) {
        *error = unarchiver->_failure != nil ? [[unarchiver->_failure retain] autorelease]
                                             : PMPArchiveError(@"no object of the classes that are asked for");
    }
    return object;
}

+ (nullable id)unarchivedObjectOfClass:(Class)cls
                              fromData:(NSData *)data
                                device:(id<MTLDevice>)device
                                 error:(NSError *_Nullable *_Nullable)error {
    return [self unarchivedObjectOfClasses:[NSSet setWithObject:cls] fromData:data device:device error:error];
}

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wdeprecated-declarations" // GNUstep has no newer initialiser

- (instancetype)initForReadingFromData:(NSData *)data
                                device:(id<MTLDevice>)device
                                 error:(NSError *_Nullable *_Nullable)error {
    if (!PMPKeyedArchiveIsSound(data)) {
        [self release];
        report(error, @"no keyed archive of binary format, or a damaged one");
        return nil;
    }
    @try {
        self = [super initForReadingWithData:data];
    } @catch (NSException *exception) {
        report(error, exception.reason); // whether Foundation has released the receiver is not known
        return nil;
    }
    if (self == nil) {
        report(error, @"no keyed archive");
        return nil;
    }
    [self setRequiresSecureCoding:YES];
    _device = [device retain];
    return self;
}

#pragma clang diagnostic pop

- (void)dealloc {
    [_device release];
    [_failure release];
    [super dealloc];
}

- (id<MTLDevice>)mpsMTLDevice {
    return _device;
}

/// Called by the objects that are decoded; NSCoder's, where Foundation has it. The first error counts.
- (void)failWithError:(NSError *)error {
    if (_failure == nil) {
        _failure = [error retain];
    }
}

// GNUstep takes any class that an archive names, secure coding or not: the classes are checked here.

- (nullable id)decodeObjectOfClasses:(nullable NSSet *)classes forKey:(NSString *)key {
    NSSet *before = _allowedClasses;
    _allowedClasses = classes;
    id object = nil;
    @try {
        object = [super decodeObjectOfClasses:classes forKey:key];
    } @finally {
        _allowedClasses = before;
    }
    for (Class class in classes) {
        if ([object isKindOfClass:class]) {
            return object;
        }
    }
    return nil;
}

- (nullable id)decodeObjectOfClass:(Class)class forKey:(NSString *)key {
    return [self decodeObjectOfClasses:[NSSet setWithObject:class] forKey:key];
}

- (nullable Class)classForClassName:(NSString *)name {
    Class class = [super classForClassName:name] ?: NSClassFromString(name);
    for (Class allowed in _allowedClasses) {
        if ([plain_name(NSStringFromClass(allowed)) isEqual:plain_name(name)]) {
            return allowed;
        }
        // Not Foundation's subclasses: the private ones among them take any archive for their own.
        if ([class isSubclassOfClass:allowed] && [class isSubclassOfClass:[MPSKernel class]]) {
            return class;
        }
    }
    [NSException raise:NSInvalidUnarchiveOperationException format:@"class %@ is none of those asked for", name];
    return nil;
}

@end
