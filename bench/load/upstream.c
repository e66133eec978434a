/* What answers like an engine, so cheaply that only the contestant between is measured?
 *
 *     upstream --port 9001 --count 64 [--interval-us 1000]
 *
 * One thread on epoll. It listens on 127.0.0.1, ports PORT to PORT+COUNT-1, each of them one engine.
 * POST with `"stream": true` gets 200 server-sent events of about 200 bytes, one write each, as fast
 * as they go or `interval-us` apart; another POST gets 600 bytes of JSON with its usage; GET gets
 * health, models or a page of metrics, which is what routers ask for. Bodies need Content-Length.
 * It prints `ready` on stdout once it listens. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 200, BUFFER = 1 << 20, FDS_MAX = 65536, BATCH = 256 };

struct connection {
    char *in;           /* what has come and is not yet answered */
    size_t length, capacity;
    size_t sent;        /* bytes of the stream that have gone out */
    int step;           /* events of the stream that may go out; 0 = no stream */
    int is_blocked;     /* the socket takes no more now */
    long long due_ns;
    int next;           /* the next in the queue of streams */
};

static struct connection *connections[FDS_MAX];
static int poll_fd, first = -1, last = -1;
static long long interval_ns;

static char stream_text[EVENTS * 400];
static size_t stream_ends[EVENTS + 1];
static char answer_text[2048], models_text[512], metrics_text[4096], health_text[128];
static size_t answer_length;
static const char *LENGTH_REQUIRED =
    "HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

static long long now_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static void make_answer(char *out, size_t room, const char *type, const char *body) {
    snprintf(out, room, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", type,
             strlen(body), body);
}

static void make_texts(void) {
    char body[2048];
    snprintf(body, sizeof body,
             "{\"id\":\"chatcmpl-0123456789abcdef\",\"object\":\"chat.completion\",\"created\":"
             "1700000000,\"model\":\"mock\",\"choices\":[{\"index\":0,\"message\":{\"role\":"
             "\"assistant\",\"content\":\"%.*s\"},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
             "\"usage\":{\"prompt_tokens\":350,\"completion_tokens\":64,\"total_tokens\":414}}",
             300,
             "The quick brown fox jumps over the lazy dog and then rests in the shade of an old oak "
             "tree while the river runs by, carrying leaves and twigs to the sea, where ships of all "
             "kinds wait for the tide and the wind, and nobody is in a hurry on such a warm summer "
             "afternoon, since all the work of the week is done.");
    make_answer(answer_text, sizeof answer_text, "application/json", body);
    answer_length = strlen(answer_text);
    make_answer(models_text, sizeof models_text, "application/json",
                "{\"object\":\"list\",\"data\":[{\"id\":\"mock\",\"object\":\"model\",\"created\":"
                "1700000000,\"owned_by\":\"bench\",\"root\":\"mock\",\"max_model_len\":32768}]}");
    make_answer(health_text, sizeof health_text, "application/json", "{\"status\":\"ok\"}");
    make_answer(metrics_text, sizeof metrics_text, "text/plain; version=0.0.4",
                "# TYPE vllm:num_requests_running gauge\n"
                "vllm:num_requests_running{model_name=\"mock\"} 1.0\n"
                "# TYPE vllm:num_requests_waiting gauge\n"
                "vllm:num_requests_waiting{model_name=\"mock\"} 0.0\n"
                "# TYPE vllm:kv_cache_usage_perc gauge\n"
                "vllm:kv_cache_usage_perc{model_name=\"mock\"} 0.1\n"
                "# TYPE vllm:num_preemptions_total counter\n"
                "vllm:num_preemptions_total{model_name=\"mock\"} 0.0\n"
                "# TYPE vllm:prompt_tokens_total counter\n"
                "vllm:prompt_tokens_total{model_name=\"mock\"} 1000.0\n"
                "# TYPE vllm:generation_tokens_total counter\n"
                "vllm:generation_tokens_total{model_name=\"mock\"} 1000.0\n");
    size_t at = (size_t)sprintf(stream_text,
                                "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 1; i <= EVENTS; i++) {
        int size = snprintf(body, sizeof body,
                            "data: {\"id\":\"chatcmpl-0123456789abcdef\",\"object\":"
                            "\"chat.completion.chunk\",\"created\":1700000000,\"model\":\"mock\","
                            "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word%03d\"},"
                            "\"logprobs\":null,\"finish_reason\":%s}]%s}\n\n",
                            i, i == EVENTS ? "\"stop\"" : "null",
                            i == EVENTS ? ",\"usage\":{\"prompt_tokens\":350,\"completion_tokens\":200,"
                                          "\"total_tokens\":550}"
                                        : "");
        at += (size_t)sprintf(stream_text + at, "%x\r\n%s\r\n", (unsigned)size, body);
        if (i == EVENTS)
            at += (size_t)sprintf(stream_text + at, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
        stream_ends[i] = at;
    }
}

static void drop(int fd) {
    struct connection *c = connections[fd];
    close(fd);
    if (c->step && !c->is_blocked) {
        for (int *link = &first, before = -1; *link >= 0;) {
            if (*link == fd) {
                *link = c->next;
                if (last == fd) last = before;
                break;
            }
            before = *link;
            link = &connections[*link]->next;
        }
    }
    free(c->in);
    free(c);
    connections[fd] = NULL;
}

static void enqueue(int fd, long long due_ns) {
    struct connection *c = connections[fd];
    c->due_ns = due_ns;
    c->next = -1;
    if (last >= 0)
        connections[last]->next = fd;
    else
        first = fd;
    last = fd;
}

/* One answer in one write: the socket's buffer is empty here, as the client waits for it. */
static int put(int fd, const char *text, size_t length) {
    return send(fd, text, length, MSG_NOSIGNAL) == (ssize_t)length;
}

static void take_requests(int fd);

/* Send what the stream may send; it leaves the queue when it ends or the socket is full. */
static void advance(int fd, long long at_ns) {
    struct connection *c = connections[fd];
    size_t end = stream_ends[c->step];
    ssize_t sent = send(fd, stream_text + c->sent, end - c->sent, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        c->is_blocked = 1; /* it is in no queue */
        drop(fd);
        return;
    }
    c->sent += sent > 0 ? (size_t)sent : 0;
    c->is_blocked = c->sent < end;
    if (c->is_blocked) {
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.fd = fd};
        epoll_ctl(poll_fd, EPOLL_CTL_MOD, fd, &event);
    } else if (c->step == EVENTS) {
        c->step = 0;
        take_requests(fd);
    } else {
        c->step++;
        enqueue(fd, at_ns + interval_ns);
    }
}

static size_t content_length(const char *head, const char *end) {
    for (const char *line = head; line && line < end; line = memchr(line, '\n', (size_t)(end - line))) {
        if (*line == '\n') line++;
        if (strncasecmp(line, "content-length:", 15) == 0) return strtoul(line + 15, NULL, 10);
        if (strncasecmp(line, "transfer-encoding:", 18) == 0) return (size_t)-1;
    }
    return 0;
}

static int wants_stream(const char *body, size_t length) {
    const char *key = memmem(body, length, "\"stream\"", 8);
    if (!key) return 0;
    const char *end = body + length;
    for (key += 8; key < end && (*key == ' ' || *key == ':'); key++) {
    }
    return end - key >= 4 && memcmp(key, "true", 4) == 0;
}

static int answer_get(int fd, const char *target) {
    const char *text = health_text;
    if (strncmp(target, "/v1/models", 10) == 0) text = models_text;
    if (strncmp(target, "/metrics", 8) == 0) text = metrics_text;
    return put(fd, text, strlen(text));
}

/* Answer the requests that are there whole, one at a time. */
static void take_requests(int fd) {
    struct connection *c = connections[fd];
    while (c->length && !c->step) {
        char *end = memmem(c->in, c->length, "\r\n\r\n", 4);
        if (!end) return;
        size_t head = (size_t)(end - c->in) + 4, body = content_length(c->in, end);
        if (body == (size_t)-1) {
            put(fd, LENGTH_REQUIRED, strlen(LENGTH_REQUIRED));
            drop(fd);
            return;
        }
        if (c->length < head + body) return;
        int is_get = memcmp(c->in, "GET ", 4) == 0, ok = 1;
        if (is_get)
            ok = answer_get(fd, c->in + 4);
        else if (wants_stream(c->in + head, body))
            c->step = 1;
        else
            ok = put(fd, answer_text, answer_length);
        c->length -= head + body;
        memmove(c->in, c->in + head + body, c->length);
        if (!ok) {
            drop(fd);
            return;
        }
        if (c->step) {
            c->sent = 0;
            c->is_blocked = 0;
            enqueue(fd, now_ns());
        }
    }
}

static void receive(int fd) {
    struct connection *c = connections[fd];
    if (c->capacity - c->length < 4096) {
        c->capacity = c->capacity ? c->capacity * 2 : 8192;
        if (c->capacity > BUFFER || !(c->in = realloc(c->in, c->capacity + 1))) {
            fprintf(stderr, "upstream: a request of more than %d bytes\n", BUFFER);
            exit(1);
        }
    }
    ssize_t got = recv(fd, c->in + c->length, c->capacity - c->length, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN)) {
        drop(fd);
        return;
    }
    if (got > 0) {
        c->length += (size_t)got;
        c->in[c->length] = 0;
        take_requests(fd);
    }
}

static void accept_all(int listener) {
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
        int one = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (fd >= FDS_MAX || !(connections[fd] = calloc(1, sizeof **connections))) {
            close(fd);
            continue;
        }
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
    }
}

static void listen_on(int port) {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&at, sizeof at) || listen(fd, 1024)) {
        fprintf(stderr, "upstream: port %d: %s\n", port, strerror(errno));
        exit(2);
    }
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void serve(void) {
    struct epoll_event events[BATCH];
    for (;;) {
        struct timespec wait = {0, 0}, *until = &wait;
        if (first < 0) {
            until = NULL;
        } else {
            long long left = connections[first]->due_ns - now_ns();
            if (left > 0) wait.tv_sec = left / 1000000000, wait.tv_nsec = left % 1000000000;
        }
        int count = epoll_pwait2(poll_fd, events, BATCH, until, NULL);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            struct connection *c = connections[fd];
            if (!c) {
                accept_all(fd);
                continue;
            }
            if (events[i].events & EPOLLOUT && c->is_blocked) {
                struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
                epoll_ctl(poll_fd, EPOLL_CTL_MOD, fd, &event);
                advance(fd, now_ns());
            } else {
                receive(fd);
            }
        }
        long long at = now_ns();
        for (int end = last, fd = first; fd >= 0 && connections[fd]->due_ns <= at; fd = first) {
            first = connections[fd]->next;
            if (first < 0) last = -1;
            advance(fd, at);
            if (fd == end) break;
        }
    }
}

int main(int argc, char **argv) {
    int port = 9001, count = 1;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--port")) port = atoi(argv[i + 1]);
        if (!strcmp(argv[i], "--count")) count = atoi(argv[i + 1]);
        if (!strcmp(argv[i], "--interval-us")) interval_ns = atoll(argv[i + 1]) * 1000;
    }
    struct rlimit files = {FDS_MAX, FDS_MAX};
    setrlimit(RLIMIT_NOFILE, &files);
    prctl(PR_SET_TIMERSLACK, 1UL);
    poll_fd = epoll_create1(0);
    make_texts();
    for (int i = 0; i < count; i++) listen_on(port + i);
    puts("ready");
    fflush(stdout);
    serve();
}
