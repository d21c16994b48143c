// Threads that a layer shares its work with.
#import <Foundation/Foundation.h>
#include "engine/engine.h"

enum { kPMPMaxThreadCount = 256 };

@interface PMPTeam : NSObject {
  @package
    pymps_engine_team *_team;
    NSUInteger _threadCount;
}

/// From 1 to kPMPMaxThreadCount threads, the one that runs a command included; 0: as many as the processors that this
/// process may use, but 8 at most. nil where the system has no thread left.
- (instancetype)initWithThreadCount:(NSUInteger)threadCount;

@property (readonly) NSUInteger threadCount;

@end
