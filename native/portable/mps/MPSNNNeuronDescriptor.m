#import "PMPArgument.h"
#import <MetalPerformanceShaders/MetalPerformanceShaders.h>
#include <unistd.h>

@implementation MPSNNNeuronDescriptor

@synthesize neuronType = _neuronType, a = _a, b = _b, c = _c, data = _data;

+ (BOOL)supportsSecureCoding {
    return YES;
}

- (instancetype)initWithType:(MPSCNNNeuronType)neuronType a:(float)a b:(float)b c:(float)c data:(NSData *)data {
    self = [super init];
    if (self != nil) {
        _neuronType = neuronType;
        _a = a;
        _b = b;
        _c = c;
        _data = [data retain];
    }
    return self;
}

+ (MPSNNNeuronDescriptor *)cnnNeuronDescriptorWithType:(MPSCNNNeuronType)neuronType a:(float)a b:(float)b c:(float)c {
    if (neuronType < MPSCNNNeuronTypeNone || neuronType >= MPSCNNNeuronTypeCount) {
        PMPInvalidArgument(@"neuronType: %d, expected one of MPSCNNNeuronType's", (int)neuronType);
    }
    if (neuronType == MPSCNNNeuronTypePReLU) {
        PMPInvalidArgument(@"neuronType: PReLU, which only cnnNeuronPReLUDescriptorWithData:noCopy: makes");
    }
    return [[[self alloc] initWithType:neuronType a:a b:b c:c data:nil] autorelease];
}

+ (MPSNNNeuronDescriptor *)cnnNeuronDescriptorWithType:(MPSCNNNeuronType)neuronType {
    return [self cnnNeuronDescriptorWithType:neuronType a:0 b:0 c:0];
}

+ (MPSNNNeuronDescriptor *)cnnNeuronDescriptorWithType:(MPSCNNNeuronType)neuronType a:(float)a {
    return [self cnnNeuronDescriptorWithType:neuronType a:a b:0 c:0];
}

+ (MPSNNNeuronDescriptor *)cnnNeuronDescriptorWithType:(MPSCNNNeuronType)neuronType a:(float)a b:(float)b {
    return [self cnnNeuronDescriptorWithType:neuronType a:a b:b c:0];
}

+ (MPSNNNeuronDescriptor *)cnnNeuronPReLUDescriptorWithData:(NSData *)data noCopy:(bool)noCopy {
    NSUInteger page = (NSUInteger)getpagesize();
    if (data == nil) {
        PMPInvalidArgument(@"data: nil, expected one float per output channel");
    }
    if (noCopy && ((uintptr_t)data.bytes % page != 0 || data.length % page != 0)) {
        PMPInvalidArgument(@"data: %lu bytes at %p, expected whole pages under noCopy", (unsigned long)data.length,
                           data.bytes);
    }
    NSData *kept = noCopy ? data : [NSData dataWithBytes:data.bytes length:data.length];
    return [[[self alloc] initWithType:MPSCNNNeuronTypePReLU a:0 b:0 c:0 data:kept] autorelease];
}

- (void)dealloc {
    [_data release];
    [super dealloc];
}

- (id)copyWithZone:(nullable NSZone *)zone {
    return [[[self class] allocWithZone:zone] initWithType:_neuronType a:_a b:_b c:_c data:_data];
}

- (void)encodeWithCoder:(NSCoder *)coder {
    [coder encodeInt32:_neuronType forKey:@"neuronType"];
    [coder encodeFloat:_a forKey:@"a"];
    [coder encodeFloat:_b forKey:@"b"];
    [coder encodeFloat:_c forKey:@"c"];
    [coder encodeObject:_data forKey:@"data"];
}

- (nullable instancetype)initWithCoder:(NSCoder *)coder {
    self = [super init];
    if (self != nil) {
        _neuronType = [coder decodeInt32ForKey:@"neuronType"];
        _a = [coder decodeFloatForKey:@"a"];
        _b = [coder decodeFloatForKey:@"b"];
        _c = [coder decodeFloatForKey:@"c"];
        _data = [[coder decodeObjectOfClass:[NSData class] forKey:@"data"] retain];
    }
    return self;
}

@end
