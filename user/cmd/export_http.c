/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * GET /metrics by libmicrohttpd, driven by the caller's poll().
 */
#include "export_http.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "user/util/log.h"

/* Whoever connects and says nothing holds one of these, for so long: less than a scrape waits. */
#define CONNECTIONS_MAX	   64
#define CONNECTION_SECONDS 3
#define CONNECTION_BYTES   (32u << 10)
#define BACKLOG		   64

struct export_http {
	struct MHD_Daemon *daemon;
	export_http_fn scrape;
	void *ctx;
};

/* ---- answers --------------------------------------------------------------------------------- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status,
			      struct MHD_Response *response, const char *header, const char *value)
{
	enum MHD_Result result = MHD_NO;

	if (!response)
		return MHD_NO;
	if (MHD_add_response_header(response, header, value) == MHD_YES)
		result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result answer_text(struct MHD_Connection *connection, unsigned status,
				   const char *text, const char *header, const char *value)
{
	return answer(
		connection, status,
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_PERSISTENT),
		header, value);
}

static enum MHD_Result answer_scrape(struct export_http *http, struct MHD_Connection *connection)
{
	struct strbuf text = STRBUF_INIT;
	int err = http->scrape(http->ctx, &text);

	if (err || text.failed || !text.data) {
		strbuf__free(&text);
		return answer_text(connection, MHD_HTTP_INTERNAL_SERVER_ERROR,
				   "cannot read the figures\n", MHD_HTTP_HEADER_CONTENT_TYPE,
				   "text/plain");
	}
	/* From here on the text is the response's. */
	return answer(connection, MHD_HTTP_OK,
		      MHD_create_response_from_buffer(text.len, text.data, MHD_RESPMEM_MUST_FREE),
		      MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");
}

static enum MHD_Result on_request(void *ctx, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version __attribute__((unused)),
				  const char *upload __attribute__((unused)), size_t *upload_bytes,
				  void **state)
{
	static const char is_known; /* only its address is used: the headers have been seen */

	if (!*state) {
		*state = (void *)&is_known;
		return MHD_YES;
	}
	if (*upload_bytes) {
		*upload_bytes = 0; /* nobody asked for it */
		return MHD_YES;
	}
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD))
		return answer_text(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n",
				   MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (strcmp(url, "/metrics"))
		return answer_text(connection, MHD_HTTP_NOT_FOUND, "there is only /metrics\n",
				   MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
	return answer_scrape(ctx, connection);
}

static void on_log(void *ctx __attribute__((unused)), const char *format, va_list args)
{
	char text[256];

	vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\n")] = '\0';
	log_debug("libmicrohttpd: %s", text);
}

/* ---- listening ------------------------------------------------------------------------------- */

/* Where the port begins in "80", ":80", "10.0.0.1:80", "[::1]:80"; the address goes to @host. */
static const char *split(const char *where, char *host, size_t size)
{
	const char *colon = strrchr(where, ':'), *end = colon;

	snprintf(host, size, "127.0.0.1");
	if (!colon)
		return where;
	if (*where == '[' && colon > where && colon[-1] == ']') {
		where++;
		end--;
	}
	if (end > where)
		snprintf(host, size, "%.*s", (int)(end - where), where);
	return colon + 1;
}

static int resolve(const char *where, struct addrinfo **found)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
				       .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE};
	char host[NI_MAXHOST];
	const char *port = split(where, host, sizeof(host));
	long number = strtol(port, NULL, 10);

	if (number > 0 && number < 65536 && !getaddrinfo(host, port, &hints, found))
		return 0;
	log_error("--listen %s is none of PORT, ADDRESS:PORT and [ADDRESS]:PORT", where);
	return -EINVAL;
}

static bool is_loopback(const struct sockaddr *addr)
{
	if (addr->sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)addr)->sin6_addr);
	return ntohl(((const struct sockaddr_in *)addr)->sin_addr.s_addr) >> 24 == 127;
}

/* Returns a file descriptor or -errno. */
static int listen_on(const struct addrinfo *at)
{
	const int yes = 1;
	int err, fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) &&
	    !bind(fd, at->ai_addr, at->ai_addrlen) && !listen(fd, BACKLOG))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int open_socket(const char *where)
{
	struct addrinfo *at;
	int fd, err = resolve(where, &at);

	if (err)
		return err;
	fd = listen_on(at);
	if (fd < 0)
		log_error("cannot listen on %s: %s; choose another address or port", where,
			  strerror(-fd));
	else if (!is_loopback(at->ai_addr))
		log_warn("--listen %s: whoever reaches this address can read the metrics", where);
	freeaddrinfo(at);
	/* Whatever the kernel's reason is, it is no mistake in the option's form. */
	return fd == -EINVAL ? -EADDRNOTAVAIL : fd;
}

int export_http__open(struct export_http **out, const char *where, export_http_fn scrape, void *ctx)
{
	struct export_http *http = calloc(1, sizeof(*http));
	int fd;

	if (!http)
		return -ENOMEM;
	fd = open_socket(where);
	if (fd < 0) {
		free(http);
		return fd;
	}
	http->scrape = scrape;
	http->ctx = ctx;
	http->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL,
					on_request, http, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
					MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
					CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
					CONNECTION_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
					(size_t)CONNECTION_BYTES, MHD_OPTION_END);
	if (http->daemon) {
		*out = http;
		return 0;
	}
	log_error("cannot start the HTTP endpoint on %s", where);
	close(fd);
	free(http);
	return -ENOMEM;
}

void export_http__close(struct export_http *http)
{
	if (!http)
		return;
	MHD_stop_daemon(http->daemon);
	free(http);
}

int export_http__fd(const struct export_http *http)
{
	return MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

int export_http__timeout_ms(const struct export_http *http)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(http->daemon, &ms) != MHD_YES)
		return -1;
	return ms < 60000 ? (int)ms : 60000;
}

void export_http__run(struct export_http *http)
{
	if (MHD_run(http->daemon) != MHD_YES)
		log_debug("libmicrohttpd: a round failed");
}
