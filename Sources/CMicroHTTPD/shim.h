#include <microhttpd.h>

// The callbacks of one server. Swift can neither call variadic functions nor name the enumerations that MHD passes in
// place of integers in a stable way, so the daemon is started here.
typedef struct {
        // A request, called as MHD_AccessHandlerCallback is.
        MHD_AccessHandlerCallback request;
        // A request is over, whether answered or not.
        MHD_RequestCompletedCallback completed;
        // A connection begins or ends.
        MHD_NotifyConnectionCallback connection;
} sluice_http_callbacks;

// Hands texts on as they were sent: unescaping is the router's business, which is tested without a socket.
static size_t sluice_http_as_sent(void *context, struct MHD_Connection *connection, char *text) {
        (void)context;
        (void)connection;
        size_t size = 0;
        while (text[size]) size++;
        return size;
}

// What goes wrong inside a connection is the client's business, and is counted rather than logged.
static void sluice_http_no_log(void *context, const char *format, va_list arguments) {
        (void)context;
        (void)format;
        (void)arguments;
}

// Starts one thread that serves `listener`, which it closes at the end. NULL when the system is short of something.
static inline struct MHD_Daemon *sluice_http_start(int listener, sluice_http_callbacks callbacks, void *context,
                                                   unsigned int connections_max, size_t connection_bytes_max,
                                                   unsigned int idle_seconds_max) {
        return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
                                callbacks.request, context,
                                MHD_OPTION_EXTERNAL_LOGGER, sluice_http_no_log, NULL,
                                MHD_OPTION_LISTEN_SOCKET, listener,
                                MHD_OPTION_CONNECTION_LIMIT, connections_max,
                                MHD_OPTION_CONNECTION_MEMORY_LIMIT, connection_bytes_max,
                                MHD_OPTION_CONNECTION_TIMEOUT, idle_seconds_max,
                                MHD_OPTION_NOTIFY_COMPLETED, callbacks.completed, context,
                                MHD_OPTION_NOTIFY_CONNECTION, callbacks.connection, context,
                                MHD_OPTION_UNESCAPE_CALLBACK, sluice_http_as_sent, NULL,
                                MHD_OPTION_END);
}

// The socket of a connection, -1 when it has none.
static inline int sluice_http_socket(struct MHD_Connection *connection) {
        const union MHD_ConnectionInfo *info =
                MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        return info ? info->connect_fd : -1;
}

// A response with a copy of the bytes.
static inline struct MHD_Response *sluice_http_response(const void *bytes, size_t size) {
        return MHD_create_response_from_buffer(size, (void *)bytes, MHD_RESPMEM_MUST_COPY);
}

// A response without an end, made of what `read` gives; `release` is called when nobody reads it any more.
static inline struct MHD_Response *sluice_http_stream(MHD_ContentReaderCallback read, void *context,
                                                      MHD_ContentReaderFreeCallback release) {
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read, context, release);
}

static const ssize_t sluice_http_end_of_stream = -1;

// Under names that do not depend on how an importer takes enumerations apart.
static const enum MHD_Result sluice_http_yes = MHD_YES;
static const enum MHD_Result sluice_http_no = MHD_NO;
static const enum MHD_ValueKind sluice_http_headers = MHD_HEADER_KIND;
static const enum MHD_ValueKind sluice_http_arguments = MHD_GET_ARGUMENT_KIND;
static const enum MHD_ConnectionNotificationCode sluice_http_started = MHD_CONNECTION_NOTIFY_STARTED;
