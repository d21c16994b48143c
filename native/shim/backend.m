// The table of this backend, and the border that every call crosses.
#import "shim.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ENTRY(name) .name = name,
const pymps_backend backend = {.name = PMP_STRING(PYMPS_BACKEND),
                               .images = &image_functions,
                               .training = &training_functions,
                               PMP_FUNCTIONS(ENTRY)};

#define ONE(name) +1
_Static_assert(sizeof(pymps_backend) == (3 PMP_FUNCTIONS(ONE)) * sizeof(void *), "a function is not in PMP_FUNCTIONS");

// What @autoreleasepool is made of, and cheaper where the compiler has to send messages for that.
extern void *objc_autoreleasePoolPush(void);
extern void objc_autoreleasePoolPop(void *pool);

static pymps_status catch_exceptions(const pmp_call *call, pymps_status (^body)(const pmp_call *call)) {
    @try {
        return body(call);
    } @catch (NSException *exception) {
        bool is_memory = [exception.name isEqualToString:NSMallocException];
        return pmp_fail(call, is_memory ? PYMPS_ERROR_MEMORY : PYMPS_ERROR_EXCEPTION, 0, "%s: %s",
                        pmp_utf8(exception.name), pmp_utf8(exception.reason));
    }
}

pymps_status pmp_enter(const char *function, pymps_error *error, pymps_status (^body)(const pmp_call *call)) {
    const pmp_call call = {function, error, NULL, PMP_NO_INDEX};
    void *pool = objc_autoreleasePoolPush();
    pymps_status status = catch_exceptions(&call, body);
    objc_autoreleasePoolPop(pool);
    return status;
}

void pmp_perform(void (^body)(void)) {
    pmp_enter("", NULL, ^pymps_status(const pmp_call *call) {
        (void)call;
        body();
        return PYMPS_OK;
    });
}

pymps_status pmp_fail(const pmp_call *call, pymps_status status, int64_t code, const char *format, ...) {
    pymps_error *error = call->error;
    if (error == NULL)
        return status;
    char text[2 * sizeof error->text];
    int length = snprintf(text, sizeof text, "[%s] ", call->function);
    if (call->argument != NULL && call->index == PMP_NO_INDEX)
        length += snprintf(text + length, sizeof text - (size_t)length, "%s.", call->argument);
    else if (call->argument != NULL)
        length += snprintf(text + length, sizeof text - (size_t)length, "%s[%zu].", call->argument, call->index);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + length, sizeof text - (size_t)length, format, arguments);
    va_end(arguments);
    error->status = status;
    error->code = code;
    pmp_copy_utf8(error->text, sizeof error->text, text);
    return status;
}

pymps_status pmp_out_of_memory(const pmp_call *call) {
    return pmp_fail(call, PYMPS_ERROR_MEMORY, 0, "out of memory");
}

void pmp_copy_utf8(char *destination, size_t size_bytes, const char *source) {
    size_t length = strlen(source);
    if (length >= size_bytes) {
        length = size_bytes - 1;
        while (length > 0 && ((unsigned char)source[length] & 0xC0) == 0x80)
            length--;
    }
    memcpy(destination, source, length);
    destination[length] = '\0';
}
