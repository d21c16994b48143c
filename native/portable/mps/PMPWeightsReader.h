// Weights of any type, read as float32.
#import "PMPArgument.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>

/// The first `count` weights of a loaded source, as floats; `inputChannels` of them belong to each output channel.
NSData *PMPReadWeights(id<MPSCNNConvolutionDataSource> source, size_t count, size_t inputChannels,
                       PMPArgument argument);
