// The encode method of a kernel, and where it encodes to.
#import "PMPArgument.h"
#import "PMPCommandBuffer.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

typedef struct PMPEncoding {
    MPSKernel *kernel;
    SEL selector;
    PMPCommandBuffer *commandBuffer;
} PMPEncoding;
