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

static _Thread_local id<MTLCommandBuffer> handled; // by this thread, nil: none; not retained: its handler runs

bool pmp_handler_blocks(id<MTLCommandBuffer> command_buffer) {
    if (handled == nil || handled == command_buffer)
        return handled != nil;
    return handled.commandQueue == command_buffer.commandQueue &&
           command_buffer.status < MTLCommandBufferStatusCompleted;
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
    id<MTLCommandBuffer> outer = handled; // a handler's commit may run other command buffers right here
    handled = command_buffer;
    handler->handler(handler->context, status, status == PYMPS_OK ? NULL : &error);
    handled = outer;
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
