// On a Mac the portable classes live beside Apple's in one library: there each carries its own runtime name and each
// function its own symbol. Elsewhere they have the plain ones.
#import <Foundation/Foundation.h>

#ifdef __APPLE__
/// In front of an @interface or @protocol.
#define PMP_CLASS(name) __attribute__((objc_runtime_name("PMP_" #name)))
/// Behind the declaration of a function or a constant.
#define PMP_SYMBOL(name) __asm__("_PMP_" #name)
#else
#define PMP_CLASS(name)
#define PMP_SYMBOL(name)
typedef double CFTimeInterval; // seconds; CoreFoundation's elsewhere
#endif

/// Behind the declaration of an inherited initializer that the class does without.
#define PMP_UNAVAILABLE __attribute__((unavailable))
