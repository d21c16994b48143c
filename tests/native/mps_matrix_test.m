// Matrices, vectors, states and kernels: layouts, rules, temporaries.
#import "mps_test.h"

static MPSMatrixDescriptor *layout(NSUInteger rows, NSUInteger columns, NSUInteger rowBytes, MPSDataType dataType) {
    return [MPSMatrixDescriptor matrixDescriptorWithRows:rows columns:columns rowBytes:rowBytes dataType:dataType];
}

static void test_recommended_row_bytes(void) {
    CHECK([MPSMatrixDescriptor rowBytesForColumns:0 dataType:MPSDataTypeFloat32] == 0);
    CHECK([MPSMatrixDescriptor rowBytesForColumns:1 dataType:MPSDataTypeFloat32] == 4);
    CHECK([MPSMatrixDescriptor rowBytesForColumns:1 dataType:MPSDataTypeFloat16] == 2);
    CHECK([MPSMatrixDescriptor rowBytesForColumns:5 dataType:MPSDataTypeFloat32] == 32);
    CHECK([MPSMatrixDescriptor rowBytesForColumns:9 dataType:MPSDataTypeFloat16] == 32);
    CHECK([MPSMatrixDescriptor rowBytesForColumns:5 dataType:MPSDataTypeUInt8] == 8);
    CHECK([MPSMatrixDescriptor rowBytesFromColumns:5 dataType:MPSDataTypeInt32] == 32);
    CHECK([MPSVectorDescriptor vectorBytesForLength:5 dataType:MPSDataTypeFloat32] == 32);
    CHECK_RAISES(@"+[MPSMatrixDescriptor rowBytesForColumns:dataType:] columns: ",
                 [MPSMatrixDescriptor rowBytesForColumns:1 dataType:MPSDataTypeInvalid]);
    CHECK_RAISES(@"columns: ", [MPSMatrixDescriptor rowBytesForColumns:NSUIntegerMax / 2 dataType:MPSDataTypeFloat32]);
}

static void test_matrix_descriptor(void) {
    MPSMatrixDescriptor *one = layout(3, 5, 32, MPSDataTypeFloat32);
    CHECK(one.rows == 3 && one.columns == 5 && one.rowBytes == 32 && one.matrices == 1 && one.matrixBytes == 96);
    CHECK(one.dataType == MPSDataTypeFloat32);
    one.rows = 4;
    one.columns = 6;
    one.rowBytes = 64;
    one.dataType = MPSDataTypeFloat16;
    CHECK(one.rows == 4 && one.columns == 6 && one.rowBytes == 64 && one.dataType == MPSDataTypeFloat16);
    MPSMatrixDescriptor *many = [MPSMatrixDescriptor matrixDescriptorWithRows:2
                                                                      columns:2
                                                                     matrices:3
                                                                     rowBytes:8
                                                                  matrixBytes:24
                                                                     dataType:MPSDataTypeFloat32];
    CHECK(many.matrices == 3 && many.matrixBytes == 24);
    CHECK([[MPSMatrixDescriptor matrixDescriptorWithDimensions:2 columns:3 rowBytes:12
                                                      dataType:MPSDataTypeFloat32] columns] == 3);
}

static void test_matrix_over_buffer(void) {
    id<MTLBuffer> buffer = [[device newBufferWithLength:100 options:MTLResourceStorageModeShared] autorelease];
    // Two rows of four floats, 48 bytes apart: 64 bytes in all, for the last row is not padded.
    MPSMatrix *matrix = [[[MPSMatrix alloc] initWithBuffer:buffer
                                                    offset:36
                                                descriptor:layout(2, 4, 48, MPSDataTypeFloat32)] autorelease];
    CHECK(matrix.rows == 2 && matrix.columns == 4 && matrix.rowBytes == 48 && matrix.offset == 36);
    CHECK(matrix.matrices == 1 && matrix.matrixBytes == 96 && matrix.dataType == MPSDataTypeFloat32);
    CHECK(matrix.data == buffer && matrix.device == device && matrix.resourceSize == 0);

    CHECK_RAISES(@"-[MPSMatrix initWithBuffer:offset:descriptor:] buffer: 100 bytes, ",
                 [[MPSMatrix alloc] initWithBuffer:buffer offset:40 descriptor:layout(2, 4, 48, MPSDataTypeFloat32)]);
    CHECK_RAISES(@"offset: 2", [[MPSMatrix alloc] initWithBuffer:buffer
                                                          offset:2
                                                      descriptor:layout(1, 4, 16, MPSDataTypeFloat32)]);
    CHECK_RAISES(@"buffer: ", [[MPSMatrix alloc] initWithBuffer:buffer
                                                         offset:NSUIntegerMax - 3
                                                     descriptor:layout(1, 4, 16, MPSDataTypeFloat32)]);
    CHECK_RAISES(@"buffer: no buffer", [[MPSMatrix alloc] initWithBuffer:(id) @"no buffer"
                                                              descriptor:layout(1, 4, 16, MPSDataTypeFloat32)]);
}

static void test_matrix_layout_rules(void) {
    CHECK_RAISES(@"rowBytes 12", [[MPSMatrix alloc] initWithDevice:device
                                                        descriptor:layout(2, 4, 12, MPSDataTypeFloat32)]);
    CHECK_RAISES(@"rowBytes 18", [[MPSMatrix alloc] initWithDevice:device
                                                        descriptor:layout(2, 4, 18, MPSDataTypeFloat32)]);
    CHECK_RAISES(@"0 x 4", [[MPSMatrix alloc] initWithDevice:device descriptor:layout(0, 4, 16, MPSDataTypeFloat32)]);
    CHECK_RAISES(@"0x63", [[MPSMatrix alloc] initWithDevice:device descriptor:layout(1, 4, 16, (MPSDataType)99)]);
    CHECK_RAISES(@"rowBytes", [[MPSMatrix alloc] initWithDevice:device
                                                     descriptor:layout(4, NSUIntegerMax / 2, 16, MPSDataTypeFloat32)]);
    CHECK_RAISES(@"device: ", [[MPSMatrix alloc] initWithDevice:nothing
                                                     descriptor:layout(1, 1, 4, MPSDataTypeFloat32)]);
    MPSMatrixDescriptor *vast = [MPSMatrixDescriptor matrixDescriptorWithRows:1
                                                                      columns:1
                                                                     matrices:NSUIntegerMax / 2
                                                                     rowBytes:4
                                                                  matrixBytes:16
                                                                     dataType:MPSDataTypeFloat32];
    CHECK_RAISES(@"larger than memory", [[MPSMatrix alloc] initWithDevice:device descriptor:vast]);
    MPSMatrixDescriptor *tight = [MPSMatrixDescriptor matrixDescriptorWithRows:2
                                                                       columns:2
                                                                      matrices:2
                                                                      rowBytes:8
                                                                   matrixBytes:12
                                                                      dataType:MPSDataTypeFloat32];
    CHECK_RAISES(@"matrixBytes 12", [[MPSMatrix alloc] initWithDevice:device descriptor:tight]);
}

static void test_matrix_allocates_lazily(void) {
    NSUInteger before = device.currentAllocatedSize;
    MPSMatrix *matrix = make_matrix(1000, 1000);
    CHECK(device.currentAllocatedSize == before);
    CHECK(matrix.resourceSize == 4000000);
    id<MTLBuffer> data = matrix.data;
    CHECK(data.length >= 4000000 && data.contents != NULL && matrix.data == data);
    CHECK(device.currentAllocatedSize >= before + 4000000);
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [matrix synchronizeOnCommandBuffer:commandBuffer];
    run(commandBuffer);
}

static void test_synchronize_managed_matrix(void) {
    id<MTLBuffer> managed = [[device newBufferWithLength:64 options:MTLResourceStorageModeManaged] autorelease];
    MPSMatrix *matrix = [[[MPSMatrix alloc] initWithBuffer:managed
                                                descriptor:layout(4, 4, 16, MPSDataTypeFloat32)] autorelease];
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [matrix synchronizeOnCommandBuffer:commandBuffer];
    run(commandBuffer);
}

static void test_vector(void) {
    MPSVectorDescriptor *descriptor = [MPSVectorDescriptor vectorDescriptorWithLength:5 dataType:MPSDataTypeFloat32];
    CHECK(descriptor.length == 5 && descriptor.vectors == 1 && descriptor.vectorBytes == 32);
    MPSVector *vector = [[[MPSVector alloc] initWithDevice:device descriptor:descriptor] autorelease];
    CHECK(vector.length == 5 && vector.vectors == 1 && vector.vectorBytes == 32 && vector.offset == 0);
    CHECK(vector.resourceSize == 20 && vector.data.length >= 20 && vector.device == device);

    MPSVectorDescriptor *three = [MPSVectorDescriptor vectorDescriptorWithLength:2
                                                                         vectors:3
                                                                     vectorBytes:12
                                                                        dataType:MPSDataTypeFloat32];
    id<MTLBuffer> buffer = [[device newBufferWithLength:36 options:MTLResourceStorageModeShared] autorelease];
    MPSVector *part = [[[MPSVector alloc] initWithBuffer:buffer offset:4 descriptor:three] autorelease];
    CHECK(part.vectors == 3 && part.offset == 4 && part.data == buffer && part.resourceSize == 0);
    CHECK_RAISES(@"-[MPSVector initWithBuffer:offset:descriptor:] buffer: 36 bytes",
                 [[MPSVector alloc] initWithBuffer:buffer offset:8 descriptor:three]);
    MPSVectorDescriptor *narrow = [MPSVectorDescriptor vectorDescriptorWithLength:4
                                                                          vectors:2
                                                                      vectorBytes:12
                                                                         dataType:MPSDataTypeFloat32];
    CHECK_RAISES(@"vectorBytes 12", [[MPSVector alloc] initWithDevice:device descriptor:narrow]);
}

static void test_temporary_matrix(void) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSTemporaryMatrix *matrix =
        [MPSTemporaryMatrix temporaryMatrixWithCommandBuffer:commandBuffer
                                            matrixDescriptor:layout(2, 4, 16, MPSDataTypeFloat32)];
    [MPSTemporaryMatrix prefetchStorageWithCommandBuffer:commandBuffer matrixDescriptorList:@[]];
    CHECK(matrix.readCount == 1 && matrix.rows == 2 && matrix.device == device);
    CHECK(matrix.data.storageMode == (is_private_mode() ? MTLStorageModePrivate : MTLStorageModeShared));
    matrix.readCount = 3;
    CHECK(matrix.readCount == 3);
    matrix.readCount = 0;
    CHECK_RAISES(@"-[MPSTemporaryMatrix setReadCount:] receiver: ", matrix.readCount = 1);
    CHECK_RAISES(@"-[MPSTemporaryMatrix data] receiver: ", [matrix data]);
    run(commandBuffer);
    CHECK_RAISES(@"temporaryMatrixWithCommandBuffer:matrixDescriptor:",
                 [MPSTemporaryMatrix temporaryMatrixWithCommandBuffer:nothing
                                                     matrixDescriptor:layout(2, 4, 16, MPSDataTypeFloat32)]);
}

static void test_temporary_vector(void) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSVectorDescriptor *descriptor = [MPSVectorDescriptor vectorDescriptorWithLength:4 dataType:MPSDataTypeFloat32];
    MPSTemporaryVector *vector = [MPSTemporaryVector temporaryVectorWithCommandBuffer:commandBuffer
                                                                           descriptor:descriptor];
    [MPSTemporaryVector prefetchStorageWithCommandBuffer:commandBuffer descriptorList:@[ descriptor ]];
    CHECK(vector.readCount == 1 && vector.length == 4 && vector.data != nil);
    vector.readCount = 0;
    CHECK_RAISES(@"receiver: ", vector.readCount = 1);
    run(commandBuffer);
}

static void test_state_of_buffers(void) {
    MPSStateResourceList *list = [MPSStateResourceList resourceListWithBufferSizes:16ul, 32ul, 0ul];
    [list appendBuffer:8];
    MPSState *state = [[[MPSState alloc] initWithDevice:device resourceList:list] autorelease];
    CHECK(state.resourceCount == 3 && !state.isTemporary && state.readCount == 0 && state.label == nil);
    CHECK([state resourceAtIndex:1 allocateMemory:NO] == nil);
    id<MTLBuffer> second = (id<MTLBuffer>)[state resourceAtIndex:1 allocateMemory:YES];
    CHECK(second.length >= 32 && [state resourceAtIndex:1 allocateMemory:NO] == second);
    CHECK([state bufferSizeAtIndex:0] == 16 && [state bufferSizeAtIndex:3] == 0 && state.resourceSize == 56);
    CHECK([state resourceTypeAtIndex:2] == MPSStateResourceTypeBuffer);
    CHECK([state resourceTypeAtIndex:3] == MPSStateResourceTypeNone);
    CHECK(state.resource == [state resourceAtIndex:0 allocateMemory:NO] && state.resource != nil);
    CHECK([state resourceAtIndex:3 allocateMemory:YES] == nil);
    state.readCount = 7; // of no meaning for a state that is not temporary
    CHECK(state.readCount == 0);
    state.label = @"name";
    CHECK([state.label isEqual:@"name"]);
    CHECK_RAISES(@"bufferSize: 0", [[MPSState alloc] initWithDevice:device bufferSize:0]);
}

static void test_state_of_resources(void) {
    id<MTLBuffer> buffer = [[device newBufferWithLength:64 options:MTLResourceStorageModeShared] autorelease];
    MPSState *one = [[[MPSState alloc] initWithResource:buffer] autorelease];
    CHECK(one.resourceCount == 1 && one.resource == buffer && [one bufferSizeAtIndex:0] == 64);
    MPSState *two = [[[MPSState alloc] initWithResources:@[ buffer, buffer ]] autorelease];
    CHECK(two.resourceCount == 2 && [two resourceAtIndex:1 allocateMemory:NO] == buffer);
    MPSState *none = [[[MPSState alloc] initWithResource:nil] autorelease];
    CHECK(none.resourceCount == 0 && none.resource == nil);
    CHECK([[[[MPSState alloc] initWithDevice:device bufferSize:12] autorelease] resourceSize] == 12);
}

static void test_temporary_states(void) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSState *state = [MPSState temporaryStateWithCommandBuffer:commandBuffer bufferSize:16];
    CHECK(state.isTemporary && state.readCount == 1 && state.resourceCount == 1);
    MPSState *empty = [MPSState temporaryStateWithCommandBuffer:commandBuffer];
    CHECK(!empty.isTemporary && empty.readCount == 0 && empty.resourceCount == 0);
    CHECK(((id<MTLBuffer>)state.resource).storageMode ==
          (is_private_mode() ? MTLStorageModePrivate : MTLStorageModeShared));

    NSArray *batch = @[ state, state, empty ];
    CHECK(MPSStateBatchIncrementReadCount(batch, 2) == 2 && state.readCount == 3);
    CHECK(MPSStateBatchIncrementReadCount(nil, 2) == 0);
    CHECK_RAISES(@"readCount: 3", MPSStateBatchIncrementReadCount(batch, -4));
    CHECK(MPSStateBatchResourceSize(batch) == 16 && MPSStateBatchResourceSize(nil) == 0);
    MPSStateBatchSynchronize(batch, commandBuffer);
    state.readCount = 0;
    CHECK_RAISES(@"-[MPSState setReadCount:] receiver: ", state.readCount = 1);
    CHECK_RAISES(@"receiver: ", [state resource]);
    run(commandBuffer);
}

static void test_kernel(void) {
    MPSKernel *kernel = [[[MPSKernel alloc] initWithDevice:device] autorelease];
    CHECK(kernel.device == device && kernel.options == MPSKernelOptionsNone && kernel.label == nil);
    kernel.options = MPSKernelOptionsVerbose;
    kernel.label = @"name";
    MPSKernel *copy = [[kernel copy] autorelease];
    CHECK(copy != kernel && copy.device == device && copy.options == MPSKernelOptionsVerbose);
    CHECK([copy.label isEqual:@"name"]);
    CHECK([[[MPSKernel alloc] initWithDevice:nothing] autorelease] == nil);
}

static void test_devices(void) {
    CHECK(MPSSupportsMTLDevice(device) && !MPSSupportsMTLDevice(nil) && !MPSSupportsMTLDevice((id) @"device"));
    CHECK(MPSGetPreferredDevice(MPSDeviceOptionsDefault) == device);
    CHECK(MPSGetPreferredDevice(MPSDeviceOptionsLowPower | MPSDeviceOptionsSkipRemovable) == device);
    setenv("MPS_PREFERRED_DEVICE", "0", 1);
    CHECK(MPSGetPreferredDevice(MPSDeviceOptionsDefault) == device);
    setenv("MPS_PREFERRED_DEVICE", "17", 1);
    CHECK(MPSGetPreferredDevice(MPSDeviceOptionsDefault) == device);
    unsetenv("MPS_PREFERRED_DEVICE");
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSHintTemporaryMemoryHighWaterMark(commandBuffer, 1 << 20);
    MPSSetHeapCacheDuration(commandBuffer, 1.0);
    run(commandBuffer);
}

int main(void) {
    void (*const tests[])(void) = {
        test_recommended_row_bytes,
        test_matrix_descriptor,
        test_matrix_over_buffer,
        test_matrix_layout_rules,
        test_matrix_allocates_lazily,
        test_vector,
        test_temporary_matrix,
        test_temporary_vector,
        test_synchronize_managed_matrix,
        test_state_of_buffers,
        test_state_of_resources,
        test_temporary_states,
        test_kernel,
        test_devices,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
