#import "PMPEncoding.h"

void PMPArrayCut(NSMutableArray *array, NSUInteger count) {
    [array removeObjectsInRange:NSMakeRange(count, array.count - count)];
}

void PMPRaiseAtStep(PMPEncoding encoding, NSString *name, NSUInteger step, NSString *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    NSString *text = [[[NSString alloc] initWithFormat:format arguments:arguments] autorelease];
    va_end(arguments);
    PMPRaiseInvalidArgument(encoding.kernel, encoding.selector, @"%@[%lu]: %@", name, (unsigned long)step, text);
}
