// The encode method of a kernel, and where it encodes to.
#import "PMPArgument.h"
#import "PMPCommandBuffer.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

typedef struct PMPEncoding {
    MPSKernel *kernel;
    SEL selector;
    PMPCommandBuffer *commandBuffer;
} PMPEncoding;

/// Takes out of an array of the caller's what a call that fails has appended since it had `count` elements.
void PMPArrayCut(NSMutableArray *array, NSUInteger count);

/// PMPRaiseInvalidArgument for one element of an array of steps.
void PMPRaiseAtStep(PMPEncoding encoding, NSString *name, NSUInteger step, NSString *format, ...)
    __attribute__((noreturn, format(__NSString__, 4, 5)));
