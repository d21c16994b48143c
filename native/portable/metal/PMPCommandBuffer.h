// The portable command buffer, as the portable MPS kernels see it: a list of commands with plain C records.
//
// A kernel's encode method checks its arguments, asks for a record, fills it, and holds the objects that the record
// points into. The command runs once, after commit, in order, on the committing thread; under PYMPS_PORTABLE_ASYNC=1
// on the queue's own thread. Nothing here allocates once a queue is warm: command buffers, their record memory and the
// workspace are reused by the queue that made them.
#import <Metal/Metal.h>
#import "PMPCommandList.h"
#import "PMPPointerArray.h"
#include <stdatomic.h>

@class PMPBlitCommandEncoder;
@class PMPCommandQueue;

/// The queue owns it. It counts its own references: without one it goes back to the queue's pool, cleared; while it has
/// one it retains the queue. From commit to completion one of them is the queue's.
@interface PMPCommandBuffer : NSObject <MTLCommandBuffer> {
  @public                    // to the queue and the encoder
    PMPCommandBuffer *_next; // in the queue's order or in its pool; under the queue's lock
    struct PMPCommandList _commands;
    struct PMPCommand *_position;                                  // the command to go on with
    struct PMPPointerArray _scheduledHandlers, _completedHandlers; // blocks, owned
    struct PMPPointerArray _heldObjects;                           // retained
    _Atomic(MTLCommandBufferStatus) _status;
    atomic_bool _isFinished; // completed, its handlers called and its objects released
    _Atomic(CFTimeInterval) _kernelStartTime, _kernelEndTime, _GPUStartTime, _GPUEndTime;
    NSError *_error;
    BOOL _encoderIsOpen;
    BOOL _isRetainedByQueue; // from commit to completion

  @private
    PMPCommandQueue *_queue;
    atomic_ulong _references;
    uint64_t _generation;
    PMPBlitCommandEncoder *_encoder; // owned; made at first use
    BOOL _retainedReferences;
    MTLCommandBufferErrorOption _errorOptions;
    NSUInteger _debugGroups;
    NSString *_label;
}

/// Appends a command and returns its record: `recordBytes` zeroed bytes aligned to 16, at a fixed address until the
/// command buffer has completed. Raises NSInvalidArgumentException once committed, or while an encoder is open.
/// Where the workspace can't be had when the command runs, the buffer ends with MTLCommandBufferErrorOutOfMemory.
- (void *)encodeCommand:(PMPCommandFunction)function
            recordBytes:(size_t)recordBytes
         workspaceBytes:(size_t)workspaceBytes;

/// Retains an object until the command buffer has completed (also where the buffer's references are unretained: for
/// what a kernel owns itself).
- (void)holdUntilCompleted:(id)object;

/// holdUntilCompleted: for a resource of the caller's: not retained under unretained references.
- (void)useResource:(id)resource;

/// Beyond Metal: commits a completed command buffer once more, with the commands that it has. The caller keeps alive
/// what they use: what was held went when the command buffer completed. Its times stay those of the first time, and no
/// handler is called again. Under PYMPS_PORTABLE_ASYNC=1, where all is as on a GPU, no command buffer responds to it.
- (void)commitAgain;

/// Tells the uses of a recycled command buffer apart: no two uses in a process have the same object and generation.
- (uint64_t)generation;

@end

/// The portable command buffer behind an argument of a kernel's; raises NSInvalidArgumentException, naming `method`,
/// where it is nil or not of the portable kind.
PMPCommandBuffer *PMPPortableCommandBuffer(id<MTLCommandBuffer> commandBuffer, SEL method);
