// MPSMatrixCopy: blocks, transposes, permutations, several copies, and what it refuses.
#import "mps_lstm.h"

enum { kCopyRows = 3, kCopyColumns = 2 };

static MPSMatrixCopy *make_copy(BOOL sourcesAreTransposed, BOOL destinationsAreTransposed) {
    return [[[MPSMatrixCopy alloc] initWithDevice:device
                                         copyRows:kCopyRows
                                      copyColumns:kCopyColumns
                             sourcesAreTransposed:sourcesAreTransposed
                        destinationsAreTransposed:destinationsAreTransposed] autorelease];
}

static MPSVector *make_indices(NSUInteger count, const uint32_t *numbers) {
    MPSVectorDescriptor *descriptor = [MPSVectorDescriptor vectorDescriptorWithLength:count dataType:MPSDataTypeUInt32];
    MPSVector *vector = [[[MPSVector alloc] initWithDevice:device descriptor:descriptor] autorelease];
    memcpy(vector.data.contents, numbers, count * sizeof *numbers);
    return vector;
}

static MPSMatrix *make_filled(NSUInteger rows, NSUInteger columns, unsigned seed) {
    MPSMatrix *matrix = make_matrix(rows, columns);
    fill_matrix(matrix, seed);
    return matrix;
}

/// A block of a source in a destination that is otherwise as it was; row i of the stored block goes to rows[i].
static void check_block(BOOL sourceIsTransposed, BOOL destinationIsTransposed, const uint32_t *rows,
                        const uint32_t *columns) {
    MPSMatrix *source = make_filled(6, 7, 1), *destination = make_filled(8, 9, 2), *wanted = make_filled(8, 9, 2);
    const MPSMatrixCopyOffsets at = {1, 2, 3, 4};
    NSUInteger storedRows = destinationIsTransposed ? kCopyColumns : kCopyRows;
    NSUInteger storedColumns = destinationIsTransposed ? kCopyRows : kCopyColumns;
    for (NSUInteger i = 0; i < storedRows; i++) {
        for (NSUInteger j = 0; j < storedColumns; j++) {
            bool isTurned = sourceIsTransposed != destinationIsTransposed;
            NSUInteger row = 3 + (rows != NULL ? rows[i] : i), column = 4 + (columns != NULL ? columns[j] : j);
            matrix_row(wanted, row)[column] = matrix_row(source, 1 + (isTurned ? j : i))[2 + (isTurned ? i : j)];
        }
    }
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSMatrixCopyDescriptor *descriptor = [MPSMatrixCopyDescriptor descriptorWithSourceMatrix:source
                                                                            destinationMatrix:destination
                                                                                      offsets:at];
    uint32_t padded[2][1 + 3] = {{99}, {99}}; // the indices begin at element 1
    for (NSUInteger i = 0; i < 3; i++) {
        padded[0][1 + i] = rows != NULL ? rows[i] : 0;
        padded[1][1 + i] = columns != NULL ? columns[i] : 0;
    }
    [make_copy(sourceIsTransposed, destinationIsTransposed)
        encodeToCommandBuffer:commandBuffer
               copyDescriptor:descriptor
            rowPermuteIndices:rows != NULL ? make_indices(1 + storedRows, padded[0]) : nil
             rowPermuteOffset:1
         columnPermuteIndices:columns != NULL ? make_indices(1 + storedColumns, padded[1]) : nil
          columnPermuteOffset:1];
    run(commandBuffer);
    CHECK(are_equal(destination, wanted));
}

static void test_blocks(void) {
    const uint32_t order[] = {2, 0, 1}, gaps[] = {3, 0, 1};
    for (int way = 0; way < 4; way++) {
        BOOL source = (way & 1) != 0, destination = (way & 2) != 0;
        check_block(source, destination, NULL, NULL);
        check_block(source, destination, order, NULL);
        check_block(source, destination, NULL, order);
        check_block(source, destination, order, gaps);
    }
}

static void test_several_copies_and_offsets_from_a_vector(void) {
    MPSMatrix *a = make_filled(4, 4, 3), *b = make_filled(4, 4, 4), *to = make_filled(8, 4, 5);
    const uint32_t offsets[] = {9, 9, 9, 9, 0, 1, 0, 0, 1, 2, 5, 2}; // the first is not used
    MPSMatrixCopyDescriptor *given = [[[MPSMatrixCopyDescriptor alloc] initWithSourceMatrices:@[ a, b ]
                                                                          destinationMatrices:@[ to, to ]
                                                                                 offsetVector:make_indices(12, offsets)
                                                                                       offset:16] autorelease];
    MPSMatrix *other = make_filled(8, 4, 5);
    MPSMatrixCopyDescriptor *set = [[[MPSMatrixCopyDescriptor alloc] initWithDevice:device count:2] autorelease];
    [set setCopyOperationAtIndex:0 sourceMatrix:b destinationMatrix:a offsets:(MPSMatrixCopyOffsets){0, 0, 0, 0}];
    [set setCopyOperationAtIndex:0 sourceMatrix:a destinationMatrix:other offsets:(MPSMatrixCopyOffsets){0, 1, 0, 0}];
    [set setCopyOperationAtIndex:1 sourceMatrix:b destinationMatrix:other offsets:(MPSMatrixCopyOffsets){1, 2, 5, 2}];
    MPSMatrix *wanted = make_filled(8, 4, 5);
    for (NSUInteger row = 0; row < kCopyRows; row++) {
        memcpy(matrix_row(wanted, row), matrix_row(a, row) + 1, kCopyColumns * sizeof(float));
        memcpy(matrix_row(wanted, 5 + row) + 2, matrix_row(b, 1 + row) + 2, kCopyColumns * sizeof(float));
    }
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [make_copy(NO, NO) encodeToCommandBuffer:commandBuffer copyDescriptor:given];
    [make_copy(NO, NO) encodeToCommandBuffer:commandBuffer copyDescriptor:set];
    run(commandBuffer);
    CHECK(are_equal(to, wanted));
    CHECK(are_equal(other, wanted));
}

/// What an index or an offset that is read later puts beyond a matrix is left out.
static void test_beyond_a_matrix(void) {
    MPSMatrix *from = make_filled(3, 2, 6), *to = make_filled(3, 2, 7), *wanted = make_filled(3, 2, 7);
    const uint32_t rows[] = {0xffffffff, 2, 3}, offsets[] = {0, 0, 0, 0, 2, 1, 0, 0};
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [make_copy(NO, NO)
        encodeToCommandBuffer:commandBuffer
               copyDescriptor:[MPSMatrixCopyDescriptor descriptorWithSourceMatrix:from
                                                                destinationMatrix:to
                                                                          offsets:(MPSMatrixCopyOffsets){0, 0, 0, 0}]
            rowPermuteIndices:make_indices(3, rows)
             rowPermuteOffset:0
         columnPermuteIndices:nil
          columnPermuteOffset:0];
    [make_copy(NO, NO)
        encodeToCommandBuffer:commandBuffer
               copyDescriptor:[[[MPSMatrixCopyDescriptor alloc] initWithSourceMatrices:@[ from ]
                                                                   destinationMatrices:@[ to ]
                                                                          offsetVector:make_indices(8, offsets)
                                                                                offset:16] autorelease]];
    run(commandBuffer);
    memcpy(matrix_row(wanted, 2), matrix_row(from, 1), 2 * sizeof(float));
    matrix_row(wanted, 0)[0] = matrix_row(from, 2)[1];
    CHECK(are_equal(to, wanted));
}

static void test_other_types(void) {
    for (NSUInteger bytes = 1; bytes <= 8; bytes *= 2) {
        MPSDataType types[] = {0, MPSDataTypeUInt8, MPSDataTypeInt16, 0, MPSDataTypeFloat32, 0, 0, 0, MPSDataTypeInt64};
        MPSMatrix *from = make_strided_matrix(2, 3, 3 * bytes, types[bytes]);
        MPSMatrix *to = make_strided_matrix(3, 2, 2 * bytes, types[bytes]);
        for (NSUInteger i = 0; i < 6 * bytes; i++) {
            ((char *)from.data.contents)[i] = (char)(i + 1);
        }
        id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
        [make_copy(YES, NO) encodeToCommandBuffer:commandBuffer
                                   copyDescriptor:[MPSMatrixCopyDescriptor
                                                      descriptorWithSourceMatrix:from
                                                               destinationMatrix:to
                                                                         offsets:(MPSMatrixCopyOffsets){0, 0, 0, 0}]];
        run(commandBuffer);
        for (NSUInteger i = 0; i < 6; i++) {
            const char *element = (const char *)from.data.contents + (i % 2 * 3 + i / 2) * bytes;
            CHECK(memcmp((const char *)to.data.contents + i * bytes, element, bytes) == 0);
        }
    }
}

static void encode(MPSMatrix *from, MPSMatrix *to, MPSMatrixCopyOffsets offsets) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    [make_copy(NO, NO) encodeToCommandBuffer:commandBuffer
                              copyDescriptor:[MPSMatrixCopyDescriptor descriptorWithSourceMatrix:from
                                                                               destinationMatrix:to
                                                                                         offsets:offsets]];
    run(commandBuffer);
}

static void test_refused(void) {
    MPSMatrix *from = make_matrix(3, 2), *to = make_matrix(3, 2), *both = make_matrix(6, 2);
    const MPSMatrixCopyOffsets zeros = {0, 0, 0, 0};
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    CHECK_RAISES(@"copyDescriptor: nil", [make_copy(NO, NO) encodeToCommandBuffer:commandBuffer
                                                                   copyDescriptor:nothing]);
    CHECK_RAISES(@"source: 3 x 2, expected a block of 3 x 2 from row 1",
                 encode(from, to, (MPSMatrixCopyOffsets){1, 0, 0, 0}));
    CHECK_RAISES(@"destination: 3 x 2, expected a block of 3 x 2 from row 0 and column 1",
                 encode(from, to, (MPSMatrixCopyOffsets){0, 0, 0, 1}));
    CHECK_RAISES(@"destination: data type 0x10000010, expected the source's 0x10000020",
                 encode(from, make_strided_matrix(3, 2, 4, MPSDataTypeFloat16), zeros));
    CHECK_RAISES(@"the destination of copy 0 shares memory with a block of copy 0",
                 encode(both, both, (MPSMatrixCopyOffsets){0, 0, 2, 0}));
    encode(both, both, (MPSMatrixCopyOffsets){0, 0, 3, 0});
    MPSMatrixCopyDescriptor *unset = [[[MPSMatrixCopyDescriptor alloc] initWithDevice:device count:1] autorelease];
    CHECK_RAISES(@"copyDescriptor's source: nil", [make_copy(NO, NO) encodeToCommandBuffer:commandBuffer
                                                                            copyDescriptor:unset]);
    CHECK_RAISES(@"index: 1, expected less than 1", [unset setCopyOperationAtIndex:1
                                                                      sourceMatrix:from
                                                                 destinationMatrix:to
                                                                           offsets:zeros]);
    const uint32_t numbers[8] = {0};
    CHECK_RAISES(@"offset: 8, expected a multiple of 16",
                 [[MPSMatrixCopyDescriptor alloc] initWithSourceMatrices:@[ from ]
                                                     destinationMatrices:@[ to ]
                                                            offsetVector:make_indices(8, numbers)
                                                                  offset:8]);
    CHECK_RAISES(@"destinationMatrices: 0 matrices", [[MPSMatrixCopyDescriptor alloc] initWithSourceMatrices:@[ from ]
                                                                                         destinationMatrices:@[]
                                                                                                offsetVector:nil
                                                                                                      offset:0]);
    MPSMatrixCopyDescriptor *fine = [MPSMatrixCopyDescriptor descriptorWithSourceMatrix:from
                                                                      destinationMatrix:to
                                                                                offsets:zeros];
    CHECK_RAISES(@"rowPermuteIndices: 2 of data type 0x20, expected UInt32, and 3 from element 0 on",
                 [make_copy(NO, NO) encodeToCommandBuffer:commandBuffer
                                           copyDescriptor:fine
                                        rowPermuteIndices:make_indices(2, numbers)
                                         rowPermuteOffset:0
                                     columnPermuteIndices:nil
                                      columnPermuteOffset:0]);
    CHECK_RAISES(@"copyRows and copyColumns: 0 x 1", [[MPSMatrixCopy alloc] initWithDevice:device
                                                                                  copyRows:0
                                                                               copyColumns:1
                                                                      sourcesAreTransposed:NO
                                                                 destinationsAreTransposed:NO]);
    run(commandBuffer);
}

static void test_copies_and_archives(void) {
    NSData *data = archived(make_copy(YES, NO));
    MPSMatrixCopy *read = [MPSKeyedUnarchiver unarchivedObjectOfClasses:[NSSet setWithObject:[MPSMatrixCopy class]]
                                                               fromData:data
                                                                 device:device
                                                                  error:NULL];
    for (MPSMatrixCopy *copy in @[ read, [[make_copy(YES, NO) copy] autorelease] ]) {
        CHECK(copy.copyRows == kCopyRows && copy.copyColumns == kCopyColumns);
        CHECK(copy.sourcesAreTransposed && !copy.destinationsAreTransposed);
    }
}

static void test_temporary_sources(void) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSMatrixDescriptor *descriptor = [MPSMatrixDescriptor matrixDescriptorWithRows:3
                                                                            columns:2
                                                                           rowBytes:8
                                                                           dataType:MPSDataTypeFloat32];
    MPSTemporaryMatrix *between = [MPSTemporaryMatrix temporaryMatrixWithCommandBuffer:commandBuffer
                                                                      matrixDescriptor:descriptor];
    MPSMatrix *from = make_filled(3, 2, 8), *to = make_matrix(6, 2);
    MPSMatrixCopyDescriptor *in =
        [MPSMatrixCopyDescriptor descriptorWithSourceMatrix:from
                                          destinationMatrix:between
                                                    offsets:(MPSMatrixCopyOffsets){0, 0, 0, 0}];
    MPSMatrixCopyDescriptor *out = [[[MPSMatrixCopyDescriptor alloc] initWithDevice:device count:2] autorelease];
    [out setCopyOperationAtIndex:0
                    sourceMatrix:between
               destinationMatrix:to
                         offsets:(MPSMatrixCopyOffsets){0, 0, 0, 0}];
    [out setCopyOperationAtIndex:1
                    sourceMatrix:between
               destinationMatrix:to
                         offsets:(MPSMatrixCopyOffsets){0, 0, 3, 0}];
    [make_copy(NO, NO) encodeToCommandBuffer:commandBuffer copyDescriptor:in];
    CHECK(between.readCount == 1);
    [make_copy(NO, NO) encodeToCommandBuffer:commandBuffer copyDescriptor:out];
    CHECK(between.readCount == 0);
    run(commandBuffer);
    CHECK(memcmp(matrix_row(to, 0), matrix_row(from, 0), 24) == 0);
    CHECK(memcmp(matrix_row(to, 3), matrix_row(from, 0), 24) == 0);
}

/// One kernel's read is one, whatever the vector is read for.
static void test_temporary_indices(void) {
    id<MTLCommandBuffer> commandBuffer = [queue commandBuffer];
    MPSVectorDescriptor *descriptor = [MPSVectorDescriptor vectorDescriptorWithLength:3 dataType:MPSDataTypeUInt32];
    MPSTemporaryVector *zeros = [MPSTemporaryVector temporaryVectorWithCommandBuffer:commandBuffer
                                                                          descriptor:descriptor];
    MPSMatrix *from = make_filled(3, 2, 8), *to = make_matrix(3, 2);
    MPSMatrixCopyDescriptor *copies =
        [MPSMatrixCopyDescriptor descriptorWithSourceMatrix:from
                                          destinationMatrix:to
                                                    offsets:(MPSMatrixCopyOffsets){0, 0, 0, 0}];
    [make_copy(NO, NO) encodeToCommandBuffer:commandBuffer
                              copyDescriptor:copies
                           rowPermuteIndices:zeros
                            rowPermuteOffset:0
                        columnPermuteIndices:zeros
                         columnPermuteOffset:0];
    CHECK(zeros.readCount == 0);
    run(commandBuffer);
    CHECK(matrix_row(to, 0)[0] != 0 && matrix_row(to, 2)[1] == 0); // all elements went to the first
}

int main(void) {
    void (*const tests[])(void) = {
        test_blocks,
        test_several_copies_and_offsets_from_a_vector,
        test_beyond_a_matrix,
        test_other_types,
        test_refused,
        test_copies_and_archives,
        test_temporary_sources,
        test_temporary_indices,
    };
    return run_tests(tests, sizeof tests / sizeof tests[0]);
}
