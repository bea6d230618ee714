/*
 * Many browsers in one process: opens streams, counts the events that each receives, and times them.
 *
 *     cc -O2 -o browsers browsers.c
 *     browsers COUNT PORT REQUESTS     browsers of 127.0.0.1:PORT
 *
 * REQUESTS is a file of one line per browser, "target<TAB>header" (the header may be empty); with
 * fewer lines than browsers it starts over. plain_browsers.py speaks the same language, slower.
 *
 * An event is known by `"t=<ns>#<number>"` in its data: CLOCK_MONOTONIC when it was published, and
 * its number in the phase, from 1. Beats, comments and first frames carry no such mark.
 *
 * Standard input                Standard output
 *   open IN_FLIGHT EAGER          opened {"open": …, "failed": …, "seconds": …}
 *   expect EVENTS SILENCE_S       ready
 *                                 reached NUMBER LAST_US     whenever one has reached every browser
 *                                 done {"received": …, "repeated": …, "skipped": …, "missing": …}
 *   close                         closed
 *
 * EAGER 1: open as soon as the request is sent, for servers that say nothing before the first event.
 * A phase is done when every browser has the last event, or after SILENCE_S without any. Skipped are
 * events before a browser's newest one, which a server may have merged; missing are those after it.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum state { CLOSED, CONNECTING, HEAD, BODY };
enum chunk { SIZE, EXTENSION, DATA, CR, LF };
enum mark { TEXT, QUOTE, LETTER, STAMP, NUMBER, MARKED };

struct browser {
    int fd;
    uint8_t state, chunked, chunk, mark, ok;
    uint16_t line;                  /* bytes so far in this line */
    uint32_t left;                  /* bytes left in this chunk */
    uint32_t number, newest;
    uint64_t stamp;
    char text[80];                  /* this line of the response's head */
};

static struct browser *browsers;
static char **requests;
static int count, port, n_requests, poller, eager;
static int started, in_flight, open_now, failed;
static uint32_t expected, finished, repeated, *reached, *last_us;
static uint64_t received, newest_at;

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what) { perror(what); exit(1); }

static void say(const char *text) { puts(text); fflush(stdout); }

/* ---- events ------------------------------------------------------------------------------- */

static void arrived(struct browser *b, uint64_t now)
{
    uint32_t number = b->number;
    newest_at = now;
    if (!number || number > expected) return;
    if (number <= b->newest) { repeated++; return; }
    b->newest = number;
    received++;
    uint32_t us = now > b->stamp ? (uint32_t)((now - b->stamp) / 1000) : 0;
    if (us > last_us[number]) last_us[number] = us;
    if (++reached[number] == (uint32_t)open_now) {
        printf("reached %u %u\n", number, last_us[number]);
        fflush(stdout);
    }
    if (number == expected) finished++;
}

static void read_events(struct browser *b, const char *p, const char *end, uint64_t now)
{
    for (; p < end; p++) {
        char c = *p;
        switch (b->mark) {
        case TEXT: if (c == '"') b->mark = QUOTE; break;
        case QUOTE: b->mark = c == 't' ? LETTER : c == '"' ? QUOTE : TEXT; break;
        case LETTER: b->mark = c == '=' ? STAMP : TEXT; b->stamp = b->number = 0; break;
        case STAMP:
            if (c == '#') b->mark = NUMBER;
            else if (c < '0' || c > '9') b->mark = TEXT;
            else b->stamp = b->stamp * 10 + (uint64_t)(c - '0');
            break;
        case NUMBER:
            if (c == '"') b->mark = MARKED;
            else if (c < '0' || c > '9') b->mark = TEXT;
            else b->number = b->number * 10 + (uint32_t)(c - '0');
            break;
        }
        if (c == '\n') {            /* an empty line ends the event */
            if (!b->line && b->mark == MARKED) { arrived(b, now); b->mark = TEXT; }
            b->line = 0;
        } else if (c != '\r') b->line = 1;
    }
}

/* ---- HTTP: the head, and chunks ----------------------------------------------------------- */

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void read_body(struct browser *b, const char *p, const char *end, uint64_t now)
{
    if (!b->chunked) { read_events(b, p, end, now); return; }
    while (p < end) {
        if (b->chunk == DATA) {
            size_t k = (size_t)(end - p) < b->left ? (size_t)(end - p) : b->left;
            read_events(b, p, p + k, now);
            p += k;
            b->left -= (uint32_t)k;
            if (!b->left) b->chunk = CR;
            continue;
        }
        char c = *p++;
        if (b->chunk == CR) b->chunk = LF;
        else if (b->chunk == LF) { b->chunk = SIZE; b->left = 0; }
        else if (c == '\n') b->chunk = DATA;
        else if (b->chunk == SIZE && hex(c) >= 0) b->left = b->left * 16 + (uint32_t)hex(c);
        else b->chunk = EXTENSION;
    }
}

/* Returns where the body begins, or NULL when the head goes on. */
static const char *read_head(struct browser *b, const char *p, const char *end)
{
    for (; p < end; p++) {
        if (*p != '\n') {
            if (b->line < sizeof b->text - 1) b->text[b->line++] = *p;
            continue;
        }
        if (b->line && b->text[b->line - 1] == '\r') b->line--;
        b->text[b->line] = 0;
        if (!b->line) { b->state = BODY; return p + 1; }
        if (!strncmp(b->text, "HTTP/1.", 7)) b->ok = !strncmp(b->text + 9, "200", 3);
        if (!strcasecmp(b->text, "transfer-encoding: chunked")) b->chunked = 1;
        b->line = 0;
    }
    return NULL;
}

/* ---- connections -------------------------------------------------------------------------- */

static void end_browser(struct browser *b, const char *why)
{
    if (b->state == BODY || (eager && b->state == HEAD)) open_now--;
    else in_flight--;
    if (failed++ < 3) fprintf(stderr, "browser %d: %s\n", (int)(b - browsers), why);
    b->state = CLOSED;
    close(b->fd);
}

static void begin_browser(int k)
{
    struct browser *b = &browsers[k];
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    struct linger abort_at_close = { 1, 0 };    /* leaves no port in TIME_WAIT */
    int one = 1;
    memset(b, 0, sizeof *b);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    b->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (b->fd < 0) die("socket");
    setsockopt(b->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(b->fd, SOL_SOCKET, SO_LINGER, &abort_at_close, sizeof abort_at_close);
    b->state = CONNECTING;
    in_flight++;
    if (connect(b->fd, (struct sockaddr *)&to, sizeof to) && errno != EINPROGRESS) {
        end_browser(b, strerror(errno));
        return;
    }
    struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = b };
    if (epoll_ctl(poller, EPOLL_CTL_ADD, b->fd, &e)) die("epoll_ctl");
}

static void send_request(struct browser *b)
{
    char text[16384], *line = requests[(b - browsers) % n_requests], *tab = strchr(line, '\t');
    int error = 0, size = tab ? (int)(tab - line) : (int)strlen(line);
    socklen_t length = sizeof error;
    getsockopt(b->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) { end_browser(b, strerror(error)); return; }
    int n = snprintf(text, sizeof text, "GET %.*s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
                     "Accept: text/event-stream\r\n%s%s\r\n", size, line, port,
                     tab ? tab + 1 : "", tab && tab[1] ? "\r\n" : "");
    if (send(b->fd, text, (size_t)n, MSG_NOSIGNAL) != n) { end_browser(b, "send"); return; }
    b->state = HEAD;
    if (eager) { in_flight--; open_now++; }
}

static void receive(struct browser *b)
{
    static char buffer[65536];
    ssize_t n;
    do {
        n = recv(b->fd, buffer, sizeof buffer, 0);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) { end_browser(b, n ? strerror(errno) : "the server closed it"); return; }
        const char *body = buffer, *end = buffer + n;
        if (b->state == HEAD) {
            if (!(body = read_head(b, body, end))) continue;
            if (!b->ok) { b->state = HEAD; end_browser(b, "the answer is not 200"); return; }
            if (!eager) { in_flight--; open_now++; }
        }
        read_body(b, body, end, now_ns());
    } while (n == sizeof buffer);
}

/* One round of the loop; returns 1 when standard input has something, 2 when something came. */
static int turn(int wait_ms)
{
    static struct epoll_event events[1024];
    int command = 0, n = epoll_wait(poller, events, 1024, wait_ms);
    for (int i = 0; i < n; i++) {
        struct browser *b = events[i].data.ptr;
        if (!b) { command = 1; continue; }
        if (b->state == CONNECTING && events[i].events & (EPOLLOUT | EPOLLERR)) send_request(b);
        if (b->state >= HEAD && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(b);
    }
    return command ? 1 : n ? 2 : 0;
}

/* ---- commands ----------------------------------------------------------------------------- */

static void open_all(int at_once)
{
    uint64_t begun = now_ns(), limit = begun + 300000000000ull;
    started = in_flight = open_now = failed = 0;
    while (open_now + failed < count && now_ns() < limit) {
        while (in_flight < at_once && started < count) begin_browser(started++);
        turn(50);
    }
    printf("opened {\"open\": %d, \"failed\": %d, \"seconds\": %.3f}\n",
           open_now, failed, (double)(now_ns() - begun) / 1e9);
    fflush(stdout);
}

static void expect(uint32_t events, double silence_s)
{
    expected = events;
    finished = repeated = 0;
    received = 0;
    free(reached);
    free(last_us);
    reached = calloc(events + 1, sizeof *reached);
    last_us = calloc(events + 1, sizeof *last_us);
    if (!reached || !last_us) die("calloc");
    for (int i = 0; i < count; i++) browsers[i].newest = 0;
    say("ready");
    newest_at = now_ns();
    /* It looks by itself instead of being woken: on loopback the waking of this process would be
       charged to the server, for each delivery, the more the slower the server is. */
    while (finished < (uint32_t)open_now && now_ns() - newest_at < silence_s * 1e9)
        if (!turn(0)) usleep(500);
    uint64_t missing = 0;
    for (int i = 0; i < count; i++) missing += expected - browsers[i].newest;
    printf("done {\"received\": %llu, \"repeated\": %u, \"skipped\": %llu, \"missing\": %llu}\n",
           (unsigned long long)received, repeated,
           (unsigned long long)((uint64_t)count * events - received - missing),
           (unsigned long long)missing);
    fflush(stdout);
}

static void close_all(void)
{
    for (int i = 0; i < count; i++) {
        if (browsers[i].state != CLOSED) close(browsers[i].fd);
        browsers[i].state = CLOSED;
    }
    open_now = 0;
    say("closed");
}

static void read_requests(const char *path)
{
    FILE *file = fopen(path, "r");
    char *line = NULL;
    size_t size = 0;
    ssize_t n;
    if (!file) die(path);
    requests = calloc((size_t)count, sizeof *requests);
    while (n_requests < count && (n = getline(&line, &size, file)) > 0) {
        if (line[n - 1] == '\n') line[n - 1] = 0;
        requests[n_requests++] = strdup(line);
    }
    fclose(file);
    free(line);
    if (!n_requests) { fprintf(stderr, "%s is empty\n", path); exit(2); }
}

int main(int argc, char **argv)
{
    if (argc != 4) { fprintf(stderr, "usage: browsers COUNT PORT REQUESTS\n"); return 2; }
    count = atoi(argv[1]);
    port = atoi(argv[2]);
    read_requests(argv[3]);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    browsers = calloc((size_t)count, sizeof *browsers);
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event input = { .events = EPOLLIN, .data.ptr = NULL };
    if (epoll_ctl(poller, EPOLL_CTL_ADD, 0, &input)) die("standard input");
    for (;;) {
        char text[128];
        int at_once, number;
        double silence_s;
        while (turn(1000) != 1) ;
        ssize_t n = read(0, text, sizeof text - 1);
        if (n <= 0) return 0;
        text[n] = 0;
        epoll_ctl(poller, EPOLL_CTL_DEL, 0, NULL);
        if (sscanf(text, "open %d %d", &at_once, &eager) == 2) open_all(at_once);
        else if (sscanf(text, "expect %d %lf", &number, &silence_s) == 2)
            expect((uint32_t)number, silence_s);
        else if (!strncmp(text, "close", 5)) close_all();
        else { fprintf(stderr, "not a command: %s", text); return 2; }
        epoll_ctl(poller, EPOLL_CTL_ADD, 0, &input);
    }
}
