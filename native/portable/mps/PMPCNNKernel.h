// What MPSCNNKernel shows to the kernels that inherit it.
#import "PMPEncoding.h"

@interface MPSCNNKernel (PMPCNNKernel)

/// For copies.
- (void)takePropertiesOf:(MPSCNNKernel *)other;

/// Raises where a property that the kernel does not know has another value than its default.
- (void)checkDefaults:(PMPEncoding)encoding;

@end
