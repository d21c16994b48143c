/* GNUstep's headers look for the blocks runtime under this name; Debian's libblocksruntime calls it Block.h. */
#include <Block.h>
