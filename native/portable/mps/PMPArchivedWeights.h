// Weights in an archive: what PMPRecurrentWeights read, as a property list, and a source that hands it out again.
#import "PMPArchive.h"
#import "PMPRecurrentWeights.h"

/// `values` are the weights that were dropped, bytes where there are ranges.
NSDictionary *PMPWeightsPropertyList(PMPRecurrentWeights *weights, NSData *values);

@interface PMPArchivedWeights : NSObject <MPSCNNConvolutionDataSource> {
    MPSCNNConvolutionDescriptor *_descriptor;
    NSData *_weights, *_ranges, *_bias; // nil where there is none
}

/// Raises where the property list is none of weights of this kind.
- (instancetype)initWithPropertyList:(id)propertyList
                                kind:(PMPWeightsKind)kind
                              inputs:(size_t)inputs
                             outputs:(size_t)outputs
                            argument:(PMPArgument)argument;

/// Whether there is a number for each output at least.
- (BOOL)hasNumbers;

@end
