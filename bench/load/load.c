/* How fast is what listens there, and how long does each request take?
 *
 *     load --port 8080 --body FILE --seconds 3 [--connections 64] [--rate 5000] [--key KEY]
 *          [--path PATH] [--good-us 500000]
 *
 * One thread on epoll, keep-alive. Without --rate the loop is closed: each connection asks again as
 * soon as it is answered. With it the loop is open: requests become due at random (Poisson) times of
 * that mean rate and a request's time counts from when it was due, so that a slow answer is not
 * hidden by the wait of the next. Eight `@` in the body become a number of their own in each request,
 * so that no prompt is like another. It prints one JSON object. `ok` = complete answers with 2xx;
 * `good` = those of them that took no longer than --good-us. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
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

enum { CONNECTIONS_MAX = 1024, HEAD_MAX = 16384, BINS = 2000000, BATCH = 256, FAULTS_MAX = 1000 };
static const long long DRAIN_NS = 5000000000LL;
enum part { HEAD, LENGTH, SIZE_LINE, CHUNK, CHUNK_END, TRAILER };

struct connection {
    int fd, is_busy;
    long long since_ns;
    enum part part;
    char head[HEAD_MAX + 1];
    size_t head_length, left, line;
    int status, is_closing, is_answered;
};

static struct connection all[CONNECTIONS_MAX];
static struct sockaddr_in target;
static char *request, *nonce;
static unsigned asked;
static size_t request_length;
static int poll_fd, connections = 64, port = 8080;
static unsigned bins[BINS];
static long long ok, good, good_us = 1LL << 60, other, faults, reconnects;
static long long bytes, body_bytes, slowest_us, due_ns;
static double rate, seconds = 3;

static long long now_ns(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void open_connection(struct connection *c) {
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(c->fd, (struct sockaddr *)&target, sizeof target)) fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &event);
}

static void reopen(struct connection *c) {
    close(c->fd);
    c->is_busy = 0;
    open_connection(c);
}

static void ask(struct connection *c, long long since_ns) {
    c->is_busy = 1;
    c->since_ns = since_ns;
    c->part = HEAD;
    c->head_length = 0;
    c->is_answered = c->is_closing = 0;
    for (int i = 0, number = (int)asked++; nonce && i < 8; i++, number >>= 4)
        nonce[i] = "0123456789abcdef"[number & 15];
    if (send(c->fd, request, request_length, MSG_NOSIGNAL) != (ssize_t)request_length) {
        faults++;
        reopen(c);
    }
}

/* The answer is whole: count it. */
static void settle(struct connection *c) {
    long long us = (now_ns() - c->since_ns) / 1000;
    c->is_answered = 1;
    if (c->status < 200 || c->status > 299)
        other++;
    else
        ok++, good += us <= good_us;
    bins[us < BINS ? us : BINS - 1]++;
    if (us > slowest_us) slowest_us = us;
}

/* Read the head's end if it is there: what of `got` is left is body. -1 = malformed. */
static ssize_t read_head(struct connection *c, const char *data, size_t got) {
    size_t before = c->head_length, take = got < HEAD_MAX - before ? got : HEAD_MAX - before;
    memcpy(c->head + before, data, take);
    c->head_length += take;
    c->head[c->head_length] = 0;
    char *end = memmem(c->head, c->head_length, "\r\n\r\n", 4);
    if (!end) return c->head_length < HEAD_MAX ? (ssize_t)got : -1;
    end[2] = 0;
    if (strncmp(c->head, "HTTP/1.1 ", 9)) return -1;
    c->status = atoi(c->head + 9);
    c->is_closing = strcasestr(c->head, "\r\nconnection: close\r\n") != NULL;
    char *length = strcasestr(c->head, "\r\ncontent-length:");
    c->left = length ? strtoul(length + 17, NULL, 10) : 0;
    c->part = LENGTH;
    if (strcasestr(c->head, "\r\ntransfer-encoding: chunked\r\n")) {
        c->part = SIZE_LINE;
        c->left = c->line = 0;
    } else if (!c->left) {
        settle(c);
    }
    return (ssize_t)((size_t)(end - c->head) + 4 - before);
}

static int digit(char letter) {
    if (letter >= '0' && letter <= '9') return letter - '0';
    letter |= 32;
    return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

/* One byte of the chunks' framing. */
static void read_frame(struct connection *c, char byte) {
    if (byte == '\r') return;
    if (byte != '\n') {
        int value = digit(byte);
        c->line++;
        if (c->part == SIZE_LINE && value >= 0) c->left = c->left * 16 + (size_t)value;
        return;
    }
    if (c->part == CHUNK_END) {
        c->part = SIZE_LINE;
        c->left = 0;
    } else if (c->part == SIZE_LINE) {
        c->part = c->left ? CHUNK : TRAILER;
    } else if (!c->line) {
        settle(c);
    }
    c->line = 0;
}

/* Read what came; 0 = it is no HTTP answer. */
static int read_answer(struct connection *c, const char *data, size_t got) {
    for (size_t at = 0; at < got && !c->is_answered;) {
        if (c->part == HEAD) {
            ssize_t used = read_head(c, data + at, got - at);
            if (used < 0) return 0;
            at += (size_t)used;
        } else if (c->part == LENGTH || c->part == CHUNK) {
            size_t take = c->left < got - at ? c->left : got - at;
            at += take;
            c->left -= take;
            body_bytes += (long long)take;
            if (!c->left && c->part == CHUNK) c->part = CHUNK_END;
            if (!c->left && c->part == LENGTH) settle(c);
        } else {
            read_frame(c, data[at++]);
        }
    }
    return 1;
}

static void receive(struct connection *c) {
    static char data[65536];
    ssize_t got = recv(c->fd, data, sizeof data, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got > 0) bytes += got;
    if (got <= 0 || !read_answer(c, data, (size_t)got)) {
        if (c->is_busy) faults++;
        if (faults > FAULTS_MAX) fail("too many broken answers");
        reconnects++;
        reopen(c);
        if (rate == 0) ask(c, now_ns());
        return;
    }
    if (!c->is_answered || !c->is_busy) return;
    c->is_busy = 0;
    if (c->is_closing) {
        reconnects++;
        reopen(c);
    }
    if (rate == 0) ask(c, now_ns());
}

/* Open loop: send what is due on connections that are free. */
static void send_due(void) {
    for (int i = 0; i < connections; i++) {
        if (all[i].is_busy) continue;
        if (due_ns > now_ns()) return;
        ask(&all[i], due_ns);
        due_ns += (long long)(-log(1 - drand48()) * 1e9 / rate);
    }
}

static int busy_count(void) {
    int count = 0;
    for (int i = 0; i < connections; i++) count += all[i].is_busy;
    return count;
}

static void receive_until(long long until) {
    struct epoll_event events[BATCH];
    long long at = now_ns(), wait_ns = until > at ? until - at : 0;
    struct timespec wait = {wait_ns / 1000000000, wait_ns % 1000000000};
    int count = epoll_pwait2(poll_fd, events, BATCH, &wait, NULL);
    for (int i = 0; i < count; i++) receive(events[i].data.ptr);
}

/* Returns the seconds in which requests were sent; an open loop waits for what is still under way. */
static double run(void) {
    long long begun = now_ns(), end = begun + (long long)(seconds * 1e9);
    due_ns = now_ns();
    for (int i = 0; i < connections && rate == 0; i++) ask(&all[i], now_ns());
    for (long long at = now_ns(); at < end; at = now_ns()) {
        long long until = end;
        if (rate > 0) {
            send_due();
            if (due_ns > at && due_ns < until) until = due_ns;
        }
        receive_until(until);
    }
    double took = (double)(now_ns() - begun) / 1e9;
    for (end += DRAIN_NS; rate > 0 && busy_count() && now_ns() < end;) receive_until(end);
    return took;
}

static long long quantile_us(double share) {
    long long seen = 0, wanted = (long long)(share * (double)(ok + other));
    for (int us = 0; us < BINS; us++)
        if ((seen += bins[us]) > wanted && us < BINS - 1) return us;
    return slowest_us;
}

static void make_request(const char *file, const char *path, const char *key) {
    FILE *in = fopen(file, "rb");
    if (!in) fail(file);
    char *body = malloc(1 << 20);
    size_t length = fread(body, 1, 1 << 20, in);
    fclose(in);
    request = malloc(length + 4096);
    request_length = (size_t)snprintf(
        request, 4096,
        "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
        "Accept: application/json\r\nUser-Agent: load\r\n%s%s%sContent-Length: %zu\r\n\r\n",
        path, port, key ? "Authorization: Bearer " : "", key ? key : "", key ? "\r\n" : "", length);
    memcpy(request + request_length, body, length);
    request_length += length;
    free(body);
    nonce = memmem(request, request_length, "@@@@@@@@", 8);
}

int main(int argc, char **argv) {
    const char *body = NULL, *path = "/v1/chat/completions", *key = NULL;
    for (int i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--port")) port = atoi(argv[i + 1]);
        if (!strcmp(argv[i], "--body")) body = argv[i + 1];
        if (!strcmp(argv[i], "--path")) path = argv[i + 1];
        if (!strcmp(argv[i], "--key")) key = argv[i + 1];
        if (!strcmp(argv[i], "--seconds")) seconds = atof(argv[i + 1]);
        if (!strcmp(argv[i], "--connections")) connections = atoi(argv[i + 1]);
        if (!strcmp(argv[i], "--good-us")) good_us = atoll(argv[i + 1]);
        if (!strcmp(argv[i], "--rate")) rate = atof(argv[i + 1]);
    }
    if (!body || connections < 1 || connections > CONNECTIONS_MAX) {
        fprintf(stderr, "load: --body FILE is needed, and 1 to %d connections\n", CONNECTIONS_MAX);
        return 2;
    }
    prctl(PR_SET_TIMERSLACK, 1UL);
    srand48(1);
    target.sin_family = AF_INET;
    target.sin_port = htons((unsigned short)port);
    target.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    poll_fd = epoll_create1(0);
    make_request(body, path, key);
    for (int i = 0; i < connections; i++) open_connection(&all[i]);
    double took = run();
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu_s = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                   (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
    printf("{\"seconds\":%.6f,\"ok\":%lld,\"good\":%lld,\"other\":%lld,\"faults\":%lld,"
           "\"reconnects\":%lld,"
           "\"bytes\":%lld,\"body_bytes\":%lld,\"p50_us\":%lld,\"p99_us\":%lld,\"max_us\":%lld,"
           "\"cpu_s\":%.4f}\n",
           took, ok, good, other, faults, reconnects, bytes, body_bytes,
           quantile_us(0.50), quantile_us(0.99), slowest_us, cpu_s);
    return 0;
}
