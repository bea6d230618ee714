/*
 * The practical limit of one core: epoll, and one send() per browser and event; nothing else.
 *
 *     cc -O2 -o limit limit.c
 *     limit PORT          at 127.0.0.1:PORT
 *
 * Whoever says GET is a browser; whoever says anything else publishes a line to all of them. No keys,
 * no access, no HTTP beyond the end of a request. A browser that takes no data is waited for, which
 * no server may do.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MOST 1100000

enum { NOBODY, NEW, STREAMING, PUBLISHER };

static unsigned char kind[MOST];
static int streams[MOST], place[MOST], n_streams, poller;
static char lines[1 << 20];
static size_t n_lines;

static const char HEAD[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n"
    "Connection: close\r\n\r\n";

static int listen_at(int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
    struct epoll_event event = { .events = EPOLLIN };
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);     /* inherited by accept */
    if (bind(fd, (void *)&at, sizeof at) || listen(fd, 4096)) { perror("listen"); exit(1); }
    event.data.fd = fd;
    epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    return fd;
}

static void take(int listener)
{
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct epoll_event event = { .events = EPOLLIN | EPOLLRDHUP, .data.fd = fd };
        kind[fd] = NEW;
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
    }
}

static void drop(int fd)
{
    if (kind[fd] == STREAMING) {
        int last = streams[--n_streams];
        streams[place[fd]] = last;
        place[last] = place[fd];
    }
    kind[fd] = NOBODY;
    close(fd);
}

static void send_all(const char *line, size_t size)
{
    static char event[sizeof lines + 16];
    size_t n = (size_t)sprintf(event, "data: %.*s\n\n", (int)size, line);
    for (int i = 0; i < n_streams; i++)
        while (send(streams[i], event, n, MSG_NOSIGNAL) < 0 && errno == EAGAIN) {
            struct pollfd full = { streams[i], POLLOUT, 0 };
            poll(&full, 1, 1000);
        }
}

static void hear(const char *text, size_t n)
{
    char *line = lines, *end;
    if (n > sizeof lines - n_lines) { fprintf(stderr, "a line is too long\n"); exit(1); }
    memcpy(lines + n_lines, text, n);
    n_lines += n;
    while ((end = memchr(line, '\n', n_lines - (size_t)(line - lines)))) {
        send_all(line, (size_t)(end - line));
        line = end + 1;
    }
    n_lines -= (size_t)(line - lines);
    memmove(lines, line, n_lines);
}

static void receive(int fd)
{
    static char text[65536];
    ssize_t n = recv(fd, text, sizeof text, 0);
    if (n <= 0) { drop(fd); return; }
    if (kind[fd] == NEW && memcmp(text, "GET ", 4)) kind[fd] = PUBLISHER;
    if (kind[fd] == PUBLISHER) hear(text, (size_t)n);
    if (kind[fd] != NEW || n < 4 || memcmp(text + n - 4, "\r\n\r\n", 4)) return;
    send(fd, HEAD, sizeof HEAD - 1, MSG_NOSIGNAL);
    kind[fd] = STREAMING;
    place[fd] = n_streams;
    streams[n_streams++] = fd;
}

int main(int argc, char **argv)
{
    static struct epoll_event events[512];
    struct rlimit limit;
    int port = argc > 1 ? atoi(argv[1]) : 9000;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    poller = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_at(port);
    for (;;) {
        int n = epoll_wait(poller, events, 512, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) take(fd);
            else receive(fd);
        }
    }
}
