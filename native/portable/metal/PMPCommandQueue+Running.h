// How a queue runs: which thread, when, and what happens to one command buffer after the other.
#import "PMPCommandQueue.h"

@interface PMPCommandQueue (Running)

/// Goes on behind the event that the queue waits for.
- (void)resume;

/// NO where the thread can't be made.
- (BOOL)startWorker;
- (void)endWorker;

@end

/// Runs the queue unless it runs already or its first command buffer is not committed. Called under the lock; gives it
/// up.
void PMPStartAndUnlock(PMPCommandQueue *queue);
