// What a recurrent cell is made of.
#import "PMPRecurrentKind.h"

/// The weights are kept until they are packed, and read back from the packed ones for an archive; the rest stays.
@interface PMPRecurrentRecipe : NSObject {
    const PMPRecurrentKind *_kind;
    NSMutableDictionary<NSString *, NSNumber *> *_numbers;
    PMPRecurrentWeights *_weights[kPMPMaxGates][kPMPPartCount]; // owned; nil where there is none
    PMPKernelSize _kernels[kPMPPartCount];                      // those of a part all have this one
    BOOL _weightsAreHalf;
}

/// Loads all sources. nil where one fails to load.
- (instancetype)initWithDescriptor:(MPSRNNDescriptor *)descriptor
                              form:(PMPRecurrentForm)form
                          argument:(PMPArgument)argument;

/// They point into the receiver, until it drops the weights.
- (PMPRecurrentGates)gates;
- (void)dropWeights;

/// For an archive; `layer` has the weights. NULL: zeros stand for them.
- (NSDictionary *)propertyListWithWeightsOf:(const pymps_engine_layer *)layer;

/// Descriptors of cells with the same numbers. Raises where the property list is no array of recipes.
+ (NSArray<MPSRNNDescriptor *> *)descriptorsWithPropertyList:(id)propertyList argument:(PMPArgument)argument;

@end
