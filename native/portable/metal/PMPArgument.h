// How a violation of an API rule is reported, and the lack of memory.
#import <Foundation/Foundation.h>

/// Raises NSInvalidArgumentException: "-[Class selector] argument: what came, what is expected". `object` may be a
/// class.
void PMPRaiseInvalidArgument(id object, SEL selector, NSString *format, ...)
    __attribute__((noreturn, format(__NSString__, 3, 4)));

/// The same as NSMallocException, where memory runs out.
void PMPRaiseOutOfMemory(id object, SEL selector, NSString *format, ...)
    __attribute__((noreturn, format(__NSString__, 3, 4)));

/// PMPRaiseInvalidArgument for the method that it stands in.
#define PMPInvalidArgument(...) PMPRaiseInvalidArgument(self, _cmd, __VA_ARGS__)

/// An argument, or a part of one, under check further down than the method that received it.
typedef struct PMPArgument {
    id object;
    SEL selector;
    NSString *name;
} PMPArgument;

/// `whole`.`part`
PMPArgument PMPArgumentPart(PMPArgument whole, NSString *part);

/// PMPRaiseInvalidArgument; the text goes behind the argument's name.
void PMPRaiseInvalid(PMPArgument argument, NSString *format, ...) __attribute__((noreturn, format(__NSString__, 2, 3)));
