// Handlers of command buffers. Until the commit the handle of the command buffer owns them, since only it learns of its
// end; afterwards each owns itself, and goes with its one call.
#import "shim.h"
#include <stdlib.h>

typedef struct pmp_handler {
    struct pmp_handler *next;
    const char *function; // that added it
    pymps_command_buffer_handler *handler;
    void (*release)(void *context);
    void *context;
} pmp_handler;

// A handler's commit may run other command buffers right there, and so call their handlers inside of it.
typedef struct handling {
    const struct handling *outer;
    id<MTLCommandBuffer> command_buffer; // not retained: its handler runs
} handling;

static _Thread_local const handling *innermost; // of this thread, NULL: none

bool pmp_handler_blocks(id<MTLCommandBuffer> command_buffer) {
    if (innermost == NULL)
        return false;
    bool is_open = command_buffer.status < MTLCommandBufferStatusCompleted;
    for (const handling *now = innermost; now != NULL; now = now->outer)
        if (now->command_buffer == command_buffer ||
            (is_open && now->command_buffer.commandQueue == command_buffer.commandQueue))
            return true;
    return false;
}

static void end(pmp_handler *handler) {
    if (handler->release != NULL)
        handler->release(handler->context);
    free(handler);
}

void pmp_handlers_drop(pmp_handler *handlers) {
    for (pmp_handler *next; handlers != NULL; handlers = next) {
        next = handlers->next;
        end(handlers);
    }
}

static void call_once(pmp_handler *handler, id<MTLCommandBuffer> command_buffer) {
    pymps_error error;
    pymps_status status = pmp_enter(handler->function, &error, ^pymps_status(const pmp_call *call) {
        return pmp_command_buffer_error(call, command_buffer);
    });
    const handling now = {innermost, command_buffer};
    innermost = &now;
    handler->handler(handler->context, status, status == PYMPS_OK ? NULL : &error);
    innermost = now.outer;
    end(handler);
}

// `add` registers the block, which captures nothing but an address: not every blocks runtime retains objects.
static pymps_status add_handler(const pmp_call *call, pymps_command_buffer *command_buffer,
                                pymps_command_buffer_handler *handler, void (*release)(void *context), void *context,
                                void (^add)(MTLCommandBufferHandler block)) {
    PMP_CHECK_NOT_NULL(command_buffer, call);
    PMP_CHECK_NOT_NULL(handler, call);
    PMP_CHECK(!command_buffer->is_committed, call, "command_buffer: already committed, expected to add before");
    pmp_handler *made = malloc(sizeof *made);
    if (made == NULL)
        return pmp_out_of_memory(call);
    *made = (pmp_handler){command_buffer->handlers, call->function, handler, release, context};
    @try {
        add(^(id<MTLCommandBuffer> object) {
            call_once(made, object);
        });
    } @catch (NSException *exception) {
        free(made);
        @throw;
    }
    command_buffer->handlers = made;
    return PYMPS_OK;
}

pymps_status command_buffer_add_scheduled_handler(pymps_command_buffer *command_buffer,
                                                  pymps_command_buffer_handler *handler, void (*release)(void *context),
                                                  void *context, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        return add_handler(call, command_buffer, handler, release, context, ^(MTLCommandBufferHandler block) {
            [command_buffer->command_buffer addScheduledHandler:block];
        });
    });
}

pymps_status command_buffer_add_completed_handler(pymps_command_buffer *command_buffer,
                                                  pymps_command_buffer_handler *handler, void (*release)(void *context),
                                                  void *context, pymps_error *error) {
    return pmp_enter(__func__, error, ^pymps_status(const pmp_call *call) {
        return add_handler(call, command_buffer, handler, release, context, ^(MTLCommandBufferHandler block) {
            [command_buffer->command_buffer addCompletedHandler:block];
        });
    });
}
