#import "PMPArgument.h"
#import <objc/runtime.h>

static NSString *reason_of(id object, SEL selector, NSString *format, va_list arguments) {
    NSString *text = [[[NSString alloc] initWithFormat:format arguments:arguments] autorelease];
    BOOL isClass = class_isMetaClass(object_getClass(object));
    return [NSString
        stringWithFormat:@"%c[%@ %@] %@", isClass ? '+' : '-', [object class], NSStringFromSelector(selector), text];
}

void PMPRaiseInvalidArgument(id object, SEL selector, NSString *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    NSString *reason = reason_of(object, selector, format, arguments);
    va_end(arguments);
    @throw [NSException exceptionWithName:NSInvalidArgumentException reason:reason userInfo:nil];
}

void PMPRaiseOutOfMemory(id object, SEL selector, NSString *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    NSString *reason = reason_of(object, selector, format, arguments);
    va_end(arguments);
    @throw [NSException exceptionWithName:NSMallocException reason:reason userInfo:nil];
}

PMPArgument PMPArgumentPart(PMPArgument whole, NSString *part) {
    whole.name = [NSString stringWithFormat:@"%@.%@", whole.name, part];
    return whole;
}

void PMPRaiseInvalid(PMPArgument argument, NSString *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    NSString *text = [[[NSString alloc] initWithFormat:format arguments:arguments] autorelease];
    va_end(arguments);
    PMPRaiseInvalidArgument(argument.object, argument.selector, @"%@: %@", argument.name, text);
}
