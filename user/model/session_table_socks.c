/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rows of sockets: made, renewed and removed as records tell. Not here: their processes
 * (session_table_owners.c), what the wire saw of them (session_table_links.c), what a snapshot does
 * not have (session_table_snapshots.c), events that follow.
 */
#include <errno.h>
#include <string.h>

#include "session_table_internal.h"

static bool same_addresses(const struct sock_info *a, const struct sock_info *b)
{
	return a->netns == b->netns && socks__have_same_ends(a, b);
}

uint32_t socks__hash_cookie(const struct session_table *table, uint64_t cookie)
{
	return (uint32_t)(((cookie ^ table->seed) * 0x9e3779b97f4a7c15ULL) >> 32);
}

static uint32_t hash_tuple(const struct session_table *table, const struct sock_info *info)
{
	struct flow_key key;

	socks__key(info, &key);
	return table__hash(table, &key);
}

static uint32_t hash_id(const struct session_table *table, const struct sock_info *info)
{
	return info->cookie ? socks__hash_cookie(table, info->cookie) : hash_tuple(table, info);
}

static struct sock_row *find(const struct session_table *table, const struct sock_info *info)
{
	struct sock_row *sock = hash_index__first(&table->sock_by_id, hash_id(table, info));

	while (sock && (sock->info.cookie != info->cookie ||
			(!info->cookie && !same_addresses(&sock->info, info))))
		sock = hash_index__next(&table->sock_by_id, sock);
	return sock;
}

/* ---- rows ---- */

/* Brings @sock to what @info says, but for its places in indexes and counts. */
static void fill(struct sock_row *sock, const struct sock_info *info, uint64_t time_ns)
{
	sock->info = *info;
	sock->info_ns = time_ns;
	sock->row.sock = &sock->info;
	sock->row.netns = info->netns;
	sock->row.local.addr = info->local;
	sock->row.local.port = info->local_port;
	sock->row.remote.addr = info->remote;
	sock->row.remote.port = info->remote_port;
	if (info->is_minisock) /* nobody's, even if the socket whose cookie it has is still held */
		owners__disown(sock);
	else if (info->pid && !sock->owner_is_listed)
		owners__set(&sock->row.owner, info->pid, info->comm);
}

static void count_row(struct session_table *table, struct sock_row *sock)
{
	table__count(table, &sock->counted, sock->info.state);
	owners__note(table, sock);
}

static struct sock_row *add(struct session_table *table, const struct sock_info *info,
			    uint64_t time_ns)
{
	struct sock_row *sock = pool__new(&table->socks);

	if (!sock)
		return NULL;
	sock->counted = NOT_SHOWN;
	sock->seen = table->serial;
	fill(sock, info, time_ns);
	if (hash_index__insert(&table->sock_by_id, sock, hash_id(table, info))) {
		pool__delete(&table->socks, sock);
		return NULL;
	}
	socks__enter_tuple(table, sock);
	owners__hold(table, sock);
	count_row(table, sock);
	return sock;
}

static void renew(struct session_table *table, struct sock_row *sock, const struct sock_info *info,
		  uint64_t time_ns)
{
	uint8_t was_acked = sock->info.is_acked;
	bool moved;

	sock->seen = table->serial;
	if (time_ns < sock->info_ns) /* a snapshot was newer */
		return;
	moved = !same_addresses(&sock->info, info);
	if (moved)
		socks__leave_tuple(table, sock);
	fill(sock, info, time_ns);
	sock->info.is_acked |= was_acked; /* the iterator does not tell */
	if (moved)
		socks__enter_tuple(table, sock);
	owners__hold(table, sock);
	count_row(table, sock);
}

void socks__drop(struct session_table *table, struct sock_row *sock)
{
	socks__leave_tuple(table, sock);
	hash_index__remove(&table->sock_by_id, sock);
	owners__drop(table, sock);
	table__count(table, &sock->counted, NOT_SHOWN);
	pool__delete(&table->socks, sock);
}

bool socks__has_child(const struct session_table *table, const struct sock_row *sock)
{
	const struct sock_row *other = hash_index__first(&table->sock_by_tuple, sock->tuple_hash);

	for (; other; other = hash_index__next(&table->sock_by_tuple, other))
		if (other != sock && !other->info.is_minisock &&
		    same_addresses(&other->info, &sock->info))
			return true;
	return false;
}

/* A row that lasts for one event: of a socket that is gone already, or never was. */
static void fill_passing(struct session_table *table, struct sock_row *sock,
			 const struct sock_info *info, uint64_t time_ns)
{
	struct wire_session *wire;
	struct flow_key key;

	memset(sock, 0, sizeof(*sock));
	fill(sock, info, time_ns);
	sock->row.local_dir = socks__key(info, &key);
	wire = wire__find(table, &key, info->netns);
	sock->wire = wire ? wire->head.id : 0;
}

void session_table__pass(struct session_table *table, const struct rec_sock *rec, uint64_t now_ns,
			 session_visitor visit, void *ctx)
{
	struct sock_row passing;

	table->now_ns = now_ns;
	if (rec->sock.state >= TCPS_COUNT) {
		table->stats.bad_records++;
		return;
	}
	fill_passing(table, &passing, &rec->sock, rec->hdr.time_ns);
	table__name_row(table, &passing.row);
	visit(ctx, &passing.row);
}

/* ---- records ---- */

int socks__apply(struct session_table *table, const struct rec_sock *rec)
{
	struct sock_row *sock = find(table, &rec->sock);

	if (rec->sock.state >= TCPS_COUNT) {
		table->stats.bad_records++;
		return 0;
	}
	if (sock)
		renew(table, sock, &rec->sock, rec->hdr.time_ns);
	else
		sock = add(table, &rec->sock, rec->hdr.time_ns);
	if (!sock)
		return -ENOMEM;
	requests__follow(table, sock);
	return 0;
}

/* First the slots of the indexes, then what they name. */
size_t session_table__expect_socks(const struct session_table *table, const union record *first,
				   size_t len)
{
	uint32_t hashes[EXPECTED_MAX];
	size_t at = 0, count = 0;

	while (at < len && count < EXPECTED_MAX) {
		const union record *rec = (const void *)((const char *)first + at);

		if (rec->hdr.kind != REC_SOCK)
			break;
		hashes[count] = hash_id(table, &rec->sock.sock);
		hash_index__fetch_slot(&table->sock_by_id, hashes[count++]);
		hash_index__fetch_slot(&table->sock_by_tuple, hash_tuple(table, &rec->sock.sock));
		at += rec->hdr.size;
	}
	for (size_t i = 0; i < count; i++)
		hash_index__fetch_object(&table->sock_by_id, hashes[i], sizeof(struct sock_row));
	return count ? at : len;
}

/* Older kernels report a child's birth before its addresses and cookie are set. */
static bool is_unborn(const struct sock_info *info)
{
	return info->state != TCPS_LISTEN && info->state != TCPS_CLOSED && !info->remote_port;
}

/*
 * The kernel finds one socket by a tuple: a request gives way to its child, a TIME_WAIT to the next
 * on its tuple (inet_ehash_nolisten, __inet_check_established in net/ipv4/inet_hashtables.c), and
 * no tracepoint tells.
 */
static void replace_minisock(struct session_table *table, const struct sock_row *sock)
{
	struct sock_row *mini = hash_index__first(&table->sock_by_tuple, sock->tuple_hash);

	if (sock->info.is_minisock)
		return;
	while (mini && (mini == sock || !mini->info.is_minisock ||
			!same_addresses(&mini->info, &sock->info)))
		mini = hash_index__next(&table->sock_by_tuple, mini);
	if (mini && mini->info_ns <= sock->info_ns)
		socks__drop(table, mini);
}

int socks__apply_state(struct session_table *table, const struct rec_sock_state *rec)
{
	const struct sock_info *info = &rec->sock;
	struct sock_row *sock, passing;

	if (info->state >= TCPS_COUNT || rec->old_state >= TCPS_COUNT) {
		table->stats.bad_records++;
		return 0;
	}
	if (is_unborn(info))
		return 0;
	sock = find(table, info);
	if (sock ? rec->hdr.time_ns < sock->info_ns : info->state == TCPS_CLOSED || !info->cookie) {
		fill_passing(table, &passing, info, rec->hdr.time_ns);
		if (sock)
			passing.row.owner = sock->row.owner;
		events__sock_state(table, &passing, rec->old_state, rec->hdr.time_ns);
		return 0;
	}
	if (sock)
		renew(table, sock, info, rec->hdr.time_ns);
	else
		sock = add(table, info, rec->hdr.time_ns);
	if (!sock)
		return -ENOMEM;
	replace_minisock(table, sock);
	events__sock_state(table, sock, rec->old_state, rec->hdr.time_ns);
	if (info->state == TCPS_CLOSED)
		socks__drop(table, sock);
	return 0;
}

/* Sent by no socket: the addresses are the packet's, and may be those of a minisock. */
static bool is_of_packet(const struct sock_info *info)
{
	return !info->cookie && info->state == TCPS_CLOSED;
}

/* The row of @info brought up to date, or one that lasts for an event in @passing. */
static struct sock_row *renew_or_pass(struct session_table *table, const struct sock_info *info,
				      uint64_t time_ns, struct sock_row *passing)
{
	struct sock_row *sock = is_of_packet(info) ? NULL : find(table, info);

	if (!sock) {
		fill_passing(table, passing, info, time_ns);
		return passing;
	}
	renew(table, sock, info, time_ns);
	return sock;
}

/* Of a request this may be the first sign of life, and its end has none. */
void socks__apply_retransmit(struct session_table *table, const struct rec_sock_retransmit *rec)
{
	const struct sock_info *info = &rec->sock;
	bool is_request = info->is_minisock && info->state == TCPS_SYN_RECV;
	struct sock_row *sock = NULL, passing;

	if (is_request && table->env.on_event && !find(table, info))
		sock = add(table, info, rec->hdr.time_ns);
	if (!sock)
		sock = renew_or_pass(table, info, rec->hdr.time_ns, &passing);
	if (sock != &passing)
		requests__follow(table, sock);
	events__sock(table, sock, EVENT_RETRANSMIT, NULL, rec->hdr.time_ns);
}

void socks__apply_reset(struct session_table *table, const struct rec_sock_reset *rec)
{
	struct sock_row passing, *request;

	events__reset(table, renew_or_pass(table, &rec->sock, rec->hdr.time_ns, &passing), rec);
	/* The kernel has dropped the request too. */
	request = rec->of_listener == LISTENER_RESET_FULL ? find(table, &rec->sock) : NULL;
	if (request && requests__has(request))
		socks__drop(table, request);
}
