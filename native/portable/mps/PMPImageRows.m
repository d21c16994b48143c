#import "PMPImageRows.h"
#import "PMPArchive.h"
#import "PMPDataType.h"
#import "PMPImage.h"
#import "PMPPixels.h"
#import "PMPSize.h"

/// What a matrix of an image's elements has; Invalid where no matrix can have them.
static MPSDataType data_type_of(MPSImage *image) {
    switch (image->_channelFormat) {
    case MPSImageFeatureChannelFormatFloat32:
        return MPSDataTypeFloat32;
    case MPSImageFeatureChannelFormatFloat16:
        return MPSDataTypeFloat16;
    case MPSImageFeatureChannelFormatUnorm8:
        return MPSDataTypeUnorm8;
    default:
        return MPSDataTypeInvalid;
    }
}

static MPSImage *first_of(const PMPImageRows *rows) {
    return [rows->images.images objectAtIndex:0];
}

static size_t image_elements(MPSImage *image) {
    return PMPSizeMultiply(PMPSizeMultiply(image->_width, image->_height), image->_featureChannels);
}

static bool fits(size_t start, size_t count, size_t all) {
    return count <= all && start <= all - count;
}

void PMPImageRowsCheck(const PMPImageRows *rows, PMPEncoding encoding) {
    const PMPOperand *matrix = &rows->matrix;
    PMPImageSequenceCheck(rows->images, rows->images.images.count > 0 ? first_of(rows)->_featureChannels : 0, encoding);
    PMPOperandCheck(matrix, encoding.kernel.device, encoding);
    for (MPSImage *image in rows->images.images) {
        if (data_type_of(image) != matrix->dataType) {
            PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                    @"%@: data type 0x%x, expected the 0x%x of the images' channels", matrix->name,
                                    (unsigned)matrix->dataType, (unsigned)data_type_of(image));
        }
    }
    if (rows->batchIndex >= matrix->count) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector, @"%@: %lu matrices, expected one of index %lu",
                                matrix->name, (unsigned long)matrix->count, (unsigned long)rows->batchIndex);
    }
    size_t count = PMPSizeMultiply(rows->images.images.count, first_of(rows)->_numberOfImages);
    size_t elements = image_elements(first_of(rows));
    if (rows->origin.z != 0 || !fits(rows->origin.x, count, matrix->rows) ||
        !fits(rows->origin.y, elements, matrix->columns)) {
        PMPRaiseInvalidArgument(encoding.kernel, encoding.selector,
                                @"%@: %lu x %lu, expected %zu rows of %zu elements from (%lu, %lu, %lu) on",
                                matrix->name, (unsigned long)matrix->rows, (unsigned long)matrix->columns, count,
                                elements, (unsigned long)rows->origin.x, (unsigned long)rows->origin.y,
                                (unsigned long)rows->origin.z);
    }
}

typedef struct rows_record {
    size_t count; // of sequences of images
    PMPPixelBlock rows;
    PMPPixelCounts counts; // of one sequence
    size_t element_bytes;
    bool to_matrix;
    bool is_complete;       // set last: a record that was given up half-way runs nothing
    PMPPixelBlock images[]; // one for each
} rows_record;

static void execute(void *record, void *workspace) {
    const rows_record *all = record;
    (void)workspace;
    PMPPixelBlock rows = all->rows;
    for (size_t i = 0; all->is_complete && i < all->count; i++) {
        if (all->to_matrix) {
            PMPCopyPixels(rows, all->images[i], all->counts, all->element_bytes);
        } else {
            PMPCopyPixels(all->images[i], rows, all->counts, all->element_bytes);
        }
        rows.start += all->counts.images * rows.imageBytes;
    }
}

/// The rows as images.
static PMPPixelBlock rows_block(const PMPImageRows *rows, char *data) {
    MPSImage *image = first_of(rows);
    size_t element = PMPElementBytes(rows->matrix.dataType), width = image->_width, channels = image->_featureChannels;
    data +=
        rows->batchIndex * rows->matrix.matrixBytes + rows->origin.x * rows->matrix.rowBytes + rows->origin.y * element;
    if (rows->layout == MPSDataLayoutHeightxWidthxFeatureChannels) {
        return (PMPPixelBlock){data, rows->matrix.rowBytes, width * channels * element, channels * element, element};
    }
    return (PMPPixelBlock){data, rows->matrix.rowBytes, width * element, element, image->_height * width * element};
}

void PMPImageRowsEncode(const PMPImageRows *rows, BOOL toMatrix, PMPCommandBuffer *commandBuffer) {
    NSUInteger count = rows->images.images.count;
    size_t bytes = PMPSizeAdd(sizeof(rows_record), PMPSizeMultiply(count, sizeof(PMPPixelBlock)));
    rows_record *record = [commandBuffer encodeCommand:execute recordBytes:bytes workspaceBytes:0];
    MPSImage *first = first_of(rows);
    record->count = count;
    record->counts = (PMPPixelCounts){first->_numberOfImages, first->_height, first->_width, first->_featureChannels};
    record->element_bytes = PMPElementBytes(rows->matrix.dataType);
    record->to_matrix = toMatrix;
    record->rows = rows_block(rows, PMPOperandEncode(&rows->matrix, commandBuffer).data);
    pymps_engine_matrix *pixels = [[NSMutableData dataWithLength:count * sizeof *pixels] mutableBytes];
    PMPImageSequenceEncode(rows->images, pixels, commandBuffer);
    for (NSUInteger i = 0; i < count; i++) {
        size_t line = first->_width * pixels[i].row_bytes;
        record->images[i] =
            (PMPPixelBlock){pixels[i].data, first->_height * line, line, pixels[i].row_bytes, record->element_bytes};
    }
    if (toMatrix) {
        PMPImageSequenceDidRead(rows->images);
    } else {
        PMPOperandDidRead(&rows->matrix);
    }
    record->is_complete = true;
}

void PMPImageRowsCheckLayout(MPSDataLayout layout, id object, SEL selector) {
    if (layout > MPSDataLayoutFeatureChannelsxHeightxWidth) {
        PMPRaiseInvalidArgument(object, selector, @"dataLayout: %lu, expected an MPSDataLayout", (unsigned long)layout);
    }
}

NSDictionary *PMPImageRowsPropertyList(MTLOrigin origin, NSUInteger batchIndex, MPSDataLayout layout) {
    return @{
        @"row" : @(origin.x),
        @"column" : @(origin.y),
        @"z" : @(origin.z),
        @"batchIndex" : @(batchIndex),
        @"dataLayout" : @(layout),
    };
}

static NSUInteger number(NSDictionary *list, NSString *key, PMPArgument argument) {
    return [PMPPropertyListValue(list, key, [NSNumber class], argument) unsignedIntegerValue];
}

void PMPImageRowsReadPropertyList(NSDictionary *list, MTLOrigin *origin, NSUInteger *batchIndex, MPSDataLayout *layout,
                                  id object, SEL selector) {
    const PMPArgument argument = {object, selector, @"imageCopy"};
    *origin =
        (MTLOrigin){number(list, @"row", argument), number(list, @"column", argument), number(list, @"z", argument)};
    *batchIndex = number(list, @"batchIndex", argument);
    *layout = number(list, @"dataLayout", argument);
    PMPImageRowsCheckLayout(*layout, object, selector);
}
