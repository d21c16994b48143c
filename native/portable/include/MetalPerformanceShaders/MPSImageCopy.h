// Copies between images and rows of matrices.
#import <MetalPerformanceShaders/MPSImage.h>
#import <MetalPerformanceShaders/MPSKernel.h>
#import <MetalPerformanceShaders/MPSMatrix.h>

NS_ASSUME_NONNULL_BEGIN

/// Each image becomes a row, its elements in the order of the layout. The matrix has the data type of the images'
/// channels.
PMP_CLASS(MPSImageCopyToMatrix)
@interface MPSImageCopyToMatrix : MPSKernel {
    MTLOrigin _destinationMatrixOrigin;
    NSUInteger _destinationMatrixBatchIndex;
    MPSDataLayout _dataLayout;
}

/// x is the row of the first image and y the column of its first element; z is 0.
@property (readwrite, nonatomic) MTLOrigin destinationMatrixOrigin;
/// Of the matrices of an MPSMatrix, the one that is written.
@property (readwrite, nonatomic) NSUInteger destinationMatrixBatchIndex;
@property (readonly, nonatomic) MPSDataLayout dataLayout;

- (instancetype)initWithDevice:(id<MTLDevice>)device dataLayout:(MPSDataLayout)dataLayout;
- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder device:(id<MTLDevice>)device;

/// One row for each of the images of `sourceImage`.
- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                  sourceImage:(MPSImage *)sourceImage
            destinationMatrix:(MPSMatrix *)destinationMatrix;
/// One row for each source; all have the same size.
- (void)encodeBatchToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                      sourceImages:(MPSImageBatch *)sourceImages
                 destinationMatrix:(MPSMatrix *)destinationMatrix;

@end

/// The way back.
PMP_CLASS(MPSMatrixCopyToImage)
@interface MPSMatrixCopyToImage : MPSKernel {
    MTLOrigin _sourceMatrixOrigin;
    NSUInteger _sourceMatrixBatchIndex;
    MPSDataLayout _dataLayout;
}

@property (readwrite, nonatomic) MTLOrigin sourceMatrixOrigin;
@property (readwrite, nonatomic) NSUInteger sourceMatrixBatchIndex;
@property (readonly, nonatomic) MPSDataLayout dataLayout;

- (instancetype)initWithDevice:(id<MTLDevice>)device dataLayout:(MPSDataLayout)dataLayout;
- (nullable instancetype)initWithCoder:(NSCoder *)aDecoder device:(id<MTLDevice>)device;

- (void)encodeToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                 sourceMatrix:(MPSMatrix *)sourceMatrix
             destinationImage:(MPSImage *)destinationImage;
- (void)encodeBatchToCommandBuffer:(id<MTLCommandBuffer>)commandBuffer
                      sourceMatrix:(MPSMatrix *)sourceMatrix
                 destinationImages:(MPSImageBatch *)destinationImages;

@end

NS_ASSUME_NONNULL_END
