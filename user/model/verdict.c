/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What joined evidence proves: the states of both endpoints by the rules of RFC 9293 section 3.3.2,
 * seen from outside, and Zeek's summary. A pure function of evidence and time. Not here: the join
 * (evidence.c).
 */
#include "bpf/shared/evidence.h"

#include <stdint.h>
#include <string.h>

/* TCP_TIMEWAIT_LEN, a constant of the kernel (include/net/tcp.h). */
#define TIME_WAIT_NS (60 * TW_NSEC_PER_SEC)
/* Longer than the six retries of a SYN take (127 s, Documentation/networking/ip-sysctl.rst). */
#define HALF_OPEN_NS	 (180 * TW_NSEC_PER_SEC)
#define WELL_KNOWN_PORTS 1024
#define EPHEMERAL_PORTS	 32768 /* the start of ip_local_port_range as Linux sets it */

static const char *const conn_state_names[] = {
#define X(id, help) [CONN_##id] = #id,
	CONN_STATES(X)
#undef X
};

const char *conn_state__name(enum conn_state state)
{
	return state < CONN_COUNT ? conn_state_names[state] : "OTH";
}

static bool sent_syn(const struct evidence *ev, unsigned dir)
{
	return ev->flags & FRAG_SYN(dir);
}

static bool sent_synack(const struct evidence *ev, unsigned dir)
{
	return ev->flags & FRAG_SYNACK(dir);
}

static bool is_synchronised(const struct evidence *ev, unsigned dir)
{
	return evidence__took(ev, dir, STEP_ACK) || evidence__took(ev, dir, STEP_DATA) ||
	       evidence__took(ev, dir, STEP_FIN);
}

/*
 * @dir has acknowledged a number from just past the peer's SYN up to all that the peer sent. Once
 * the peer sends payload it is synchronised anyway, and how much it sent lags behind: records tell
 * of the first only.
 */
static bool acked_syn(const struct evidence *ev, unsigned dir)
{
	const struct evidence_half *peer = &ev->half[!dir];
	uint32_t past_syn = ev->half[dir].ack - peer->isn - 1;

	if (!(ev->flags & FRAG_ACK_VALID(dir)) || !(sent_syn(ev, !dir) || sent_synack(ev, !dir)))
		return false;
	return past_syn <= peer->nxt - peer->isn - 1 || evidence__took(ev, !dir, STEP_DATA);
}

/* The peer has acknowledged the FIN of @dir, and with it all that @dir sent. */
static bool fin_acked(const struct evidence *ev, unsigned dir)
{
	return evidence__took(ev, dir, STEP_FIN) && ev->flags & FRAG_ACK_VALID(!dir) &&
	       !seq_before(ev->half[!dir].ack, ev->half[dir].nxt);
}

/* A RST that answers a SYN must acknowledge it (RFC 9293 section 3.10.7.3). */
static bool was_reset_by(const struct evidence *ev, unsigned dir)
{
	if (!evidence__took(ev, dir, STEP_RST))
		return false;
	if (is_synchronised(ev, dir) || evidence__took(ev, dir, STEP_SYN) || !sent_syn(ev, !dir) ||
	    is_synchronised(ev, !dir))
		return true;
	return acked_syn(ev, dir);
}

static uint64_t first_seen(const struct evidence *ev, unsigned dir)
{
	uint64_t first = UINT64_MAX;

	for (int step = 0; step < STEP_COUNT; step++)
		if (evidence__took(ev, dir, step) && ev->step_ns[dir][step] < first)
			first = ev->step_ns[dir][step];
	return first;
}

/* Nobody's SYN was seen: the well-known port serves, else the ephemeral one asks, else who spoke
 * first. */
static unsigned guess_originator(const struct evidence *ev)
{
	uint16_t low = TW_BE16(ev->key.port[DIR_LOW]), high = TW_BE16(ev->key.port[DIR_HIGH]);

	if ((low < WELL_KNOWN_PORTS) != (high < WELL_KNOWN_PORTS))
		return low < WELL_KNOWN_PORTS ? DIR_HIGH : DIR_LOW;
	if ((low < EPHEMERAL_PORTS) != (high < EPHEMERAL_PORTS))
		return low < EPHEMERAL_PORTS ? DIR_HIGH : DIR_LOW;
	return first_seen(ev, DIR_LOW) <= first_seen(ev, DIR_HIGH) ? DIR_LOW : DIR_HIGH;
}

/* Who opened it. *@is_guess: nobody's SYN tells. */
static unsigned find_originator(const struct evidence *ev, bool *is_guess)
{
	*is_guess = false;
	if (sent_syn(ev, DIR_LOW) && sent_syn(ev, DIR_HIGH))
		return ev->step_ns[DIR_LOW][STEP_SYN] <= ev->step_ns[DIR_HIGH][STEP_SYN] ? DIR_LOW
											 : DIR_HIGH;
	if (sent_syn(ev, DIR_LOW) || sent_syn(ev, DIR_HIGH))
		return sent_syn(ev, DIR_LOW) ? DIR_LOW : DIR_HIGH;
	if (sent_synack(ev, DIR_LOW) != sent_synack(ev, DIR_HIGH))
		return sent_synack(ev, DIR_LOW) ? DIR_HIGH : DIR_LOW;
	*is_guess = true;
	return guess_originator(ev);
}

/*
 * The third step proves it. So does anything later, if the tap missed a step or sees one direction:
 * only a synchronised endpoint sends an acknowledgement without SYN.
 */
static bool judge_established(const struct evidence *ev, unsigned orig)
{
	unsigned resp = !orig;

	if (sent_syn(ev, orig) && sent_syn(ev, resp))
		return acked_syn(ev, orig) && acked_syn(ev, resp);
	if (sent_synack(ev, resp))
		return acked_syn(ev, orig) || (!is_synchronised(ev, orig) && !sent_syn(ev, orig) &&
					       is_synchronised(ev, resp));
	return is_synchronised(ev, orig) ||
	       (is_synchronised(ev, resp) && !evidence__took(ev, orig, STEP_RST));
}

bool evidence__is_established(const struct evidence *ev)
{
	bool is_guess;

	return judge_established(ev, find_originator(ev, &is_guess));
}

static void judge_opening(const struct evidence *ev, struct evidence_verdict *v)
{
	unsigned orig = v->originator, resp = !orig;

	if (sent_syn(ev, orig) && sent_syn(ev, resp)) {
		for (unsigned dir = 0; dir < DIR_COUNT; dir++)
			v->state[dir] = sent_synack(ev, dir) ? TCPS_SYN_RECV : TCPS_SYN_SENT;
		return;
	}
	v->state[orig] = TCPS_SYN_SENT;
	/* Whether anybody listens only an answer tells. */
	v->state[resp] = sent_synack(ev, resp) ? TCPS_SYN_RECV : TCPS_UNKNOWN;
}

/* One side has sent its FIN. The other knows of it when it has acknowledged it. */
static void judge_half_closed(const struct evidence *ev, struct evidence_verdict *v, unsigned dir)
{
	v->state[dir] = fin_acked(ev, dir) ? TCPS_FIN_WAIT2 : TCPS_FIN_WAIT1;
	v->state[!dir] = fin_acked(ev, dir) ? TCPS_CLOSE_WAIT : TCPS_ESTABLISHED;
}

/* Both have, and neither had acknowledged the other's when it sent its own. */
static enum tcp_state state_closing_at_once(const struct evidence *ev, unsigned dir)
{
	bool has_acked = fin_acked(ev, !dir);

	if (fin_acked(ev, dir))
		return has_acked ? TCPS_TIME_WAIT : TCPS_FIN_WAIT2;
	return has_acked ? TCPS_CLOSING : TCPS_FIN_WAIT1;
}

static void judge_closing(const struct evidence *ev, struct evidence_verdict *v)
{
	unsigned first = ev->step_ns[DIR_LOW][STEP_FIN] <= ev->step_ns[DIR_HIGH][STEP_FIN]
				 ? DIR_LOW
				 : DIR_HIGH;
	unsigned second = !first;

	v->closed_first = first;
	if (fin_acked(ev, first) && !(ev->flags & FRAG_ACK_AFTER_FIN(second))) {
		v->state[first] = fin_acked(ev, second) ? TCPS_TIME_WAIT : TCPS_FIN_WAIT2;
		v->state[second] = fin_acked(ev, second) ? TCPS_CLOSED : TCPS_LAST_ACK;
	} else {
		for (unsigned dir = 0; dir < DIR_COUNT; dir++)
			v->state[dir] = state_closing_at_once(ev, dir);
	}
	if (fin_acked(ev, DIR_LOW) && fin_acked(ev, DIR_HIGH)) {
		v->end = END_FIN;
		v->end_ns = ev->step_ns[second][STEP_FIN];
	}
}

static void judge_established_states(const struct evidence *ev, struct evidence_verdict *v)
{
	bool low = evidence__took(ev, DIR_LOW, STEP_FIN),
	     high = evidence__took(ev, DIR_HIGH, STEP_FIN);

	if (low && high) {
		judge_closing(ev, v);
	} else if (low || high) {
		v->closed_first = low ? DIR_LOW : DIR_HIGH;
		judge_half_closed(ev, v, v->closed_first);
	} else {
		v->state[DIR_LOW] = v->state[DIR_HIGH] = TCPS_ESTABLISHED;
	}
}

/* A RST ends both sides at once. */
static bool judge_reset(const struct evidence *ev, struct evidence_verdict *v)
{
	bool low = was_reset_by(ev, DIR_LOW), high = was_reset_by(ev, DIR_HIGH);
	unsigned by;

	if (!low && !high)
		return false;
	by = low && (!high || ev->step_ns[DIR_LOW][STEP_RST] <= ev->step_ns[DIR_HIGH][STEP_RST])
		     ? DIR_LOW
		     : DIR_HIGH;
	v->state[DIR_LOW] = v->state[DIR_HIGH] = TCPS_CLOSED;
	if (v->closed_first == DIR_COUNT)
		v->closed_first = by;
	v->end_ns = ev->step_ns[by][STEP_RST];
	v->end = !v->established && by != v->originator ? END_REFUSED : END_RESET;
	return true;
}

static void judge_expiry(const struct evidence *ev, uint64_t now_ns, struct evidence_verdict *v)
{
	uint64_t idle_ns = now_ns > ev->last_ns ? now_ns - ev->last_ns : 0;

	if (!v->established && idle_ns > HALF_OPEN_NS) {
		v->state[DIR_LOW] = v->state[DIR_HIGH] = TCPS_CLOSED;
		v->end = END_TIMEOUT;
		v->end_ns = ev->last_ns;
	}
	for (unsigned dir = 0; dir < DIR_COUNT; dir++)
		if (v->state[dir] == TCPS_TIME_WAIT && idle_ns > TIME_WAIT_NS)
			v->state[dir] = TCPS_CLOSED;
}

/* Zeek's view of an endpoint (src/analyzer/protocol/tcp/TCP_Endpoint.h). */
enum zeek_state { Z_INACTIVE, Z_SYN_SENT, Z_PARTIAL, Z_ESTABLISHED, Z_CLOSED, Z_RESET };

static enum zeek_state zeek_state(const struct evidence *ev, unsigned dir)
{
	if (evidence__took(ev, dir, STEP_RST))
		return Z_RESET;
	if (evidence__took(ev, dir, STEP_FIN))
		return Z_CLOSED;
	if (sent_synack(ev, dir))
		return Z_ESTABLISHED;
	if (sent_syn(ev, dir))
		return sent_synack(ev, !dir) || is_synchronised(ev, dir) ? Z_ESTABLISHED
									 : Z_SYN_SENT;
	if (is_synchronised(ev, dir))
		return sent_synack(ev, !dir) ? Z_ESTABLISHED : Z_PARTIAL;
	return Z_INACTIVE;
}

/* As Zeek's scripts conclude it (scripts/base/protocols/conn/main.zeek, conn_state). */
static enum conn_state judge_conn_state(const struct evidence *ev, unsigned originator)
{
	enum zeek_state orig = zeek_state(ev, originator), resp = zeek_state(ev, !originator);
	bool orig_inactive = orig == Z_INACTIVE || orig == Z_PARTIAL;
	bool resp_inactive = resp == Z_INACTIVE || resp == Z_PARTIAL;

	if (evidence__took(ev, originator, STEP_FIN) && evidence__took(ev, !originator, STEP_FIN))
		return CONN_SF; /* a RST after that changes nothing */
	if (resp == Z_RESET) {
		if (orig == Z_SYN_SENT)
			return CONN_REJ;
		return orig_inactive ? CONN_RSTRH : CONN_RSTR;
	}
	if (orig == Z_RESET)
		return resp_inactive ? CONN_RSTOS0 : CONN_RSTO;
	if (orig == Z_CLOSED)
		return resp_inactive ? CONN_SH : CONN_S2;
	if (resp == Z_CLOSED)
		return orig_inactive ? CONN_SHR : CONN_S3;
	if (orig == Z_SYN_SENT && resp == Z_INACTIVE)
		return CONN_S0;
	return orig == Z_ESTABLISHED && resp == Z_ESTABLISHED ? CONN_S1 : CONN_OTH;
}

struct history_entry {
	uint64_t time_ns;
	char letter;
};

static unsigned gather_history(const struct evidence *ev, unsigned originator,
			       struct history_entry *entries)
{
	static const char letters[] = {
#define X(id, letter) [STEP_##id] = letter,
		SESSION_STEPS(X)
#undef X
	};
	unsigned count = 0;

	for (int step = 0; step < STEP_COUNT;
	     step++) { /* of steps at one moment the SYN goes first */
		for (unsigned dir = 0; dir < DIR_COUNT; dir++) {
			char letter = letters[step];

			if (!evidence__took(ev, dir, step))
				continue;
			if (step == STEP_SYN && sent_synack(ev, dir) && !sent_syn(ev, dir))
				letter = 'h';
			if (dir == originator)
				letter -= 'a' - 'A';
			entries[count++] = (struct history_entry){ev->step_ns[dir][step], letter};
		}
	}
	return count;
}

/* Zeek marks a history with ^ when the first segment was the responder's: roles were turned round.
 */
static bool responder_came_first(const struct evidence *ev, unsigned originator)
{
	uint64_t orig_ns = first_seen(ev, originator), resp_ns = first_seen(ev, !originator);

	/* A SYN-ACK follows a SYN, seen or not; at equal times it came before the rest. */
	if (sent_synack(ev, !originator) && !sent_syn(ev, originator))
		return resp_ns <= orig_ns;
	return resp_ns < orig_ns;
}

/* Zeek's history: each step once per direction, in order of time; capitals are the originator's. */
static void judge_history(const struct evidence *ev, struct evidence_verdict *v)
{
	struct history_entry entries[DIR_COUNT * STEP_COUNT];
	unsigned count = gather_history(ev, v->originator, entries);
	char *out = v->history;

	for (unsigned i = 1; i < count; i++) { /* insertion sort: stable, a dozen entries */
		struct history_entry entry = entries[i];
		unsigned at = i;

		for (; at > 0 && entries[at - 1].time_ns > entry.time_ns; at--)
			entries[at] = entries[at - 1];
		entries[at] = entry;
	}
	if (responder_came_first(ev, v->originator))
		*out++ = '^';
	for (unsigned i = 0; i < count; i++)
		*out++ = entries[i].letter;
	*out = '\0';
}

/* The span of sequence numbers, which knows no CPU, retransmission or reordering; the count of
 * bytes tells how often it went round 2^32. */
__u64 evidence__bytes(const struct evidence *ev, enum flow_dir dir)
{
	const struct evidence_half *half = &ev->half[dir];
	uint32_t span = half->nxt - half->isn - 1 - evidence__took(ev, dir, STEP_FIN);
	int64_t bytes = (int64_t)half->bytes + (int32_t)(span - (uint32_t)half->bytes);

	if (!(ev->flags & FRAG_SEQ_VALID(dir)) || bytes < 0)
		return half->bytes;
	return (uint64_t)bytes;
}

static void judge_handshake(const struct evidence *ev, struct evidence_verdict *v)
{
	const __u64 *orig_ns = ev->step_ns[v->originator], *resp_ns = ev->step_ns[!v->originator];

	if (sent_syn(ev, v->originator))
		v->syn_ns = orig_ns[STEP_SYN];
	if (sent_synack(ev, !v->originator))
		v->synack_ns = resp_ns[STEP_SYN];
	if (!v->established || !v->synack_ns)
		return;
	v->ack_ns = orig_ns[STEP_ACK];
	if (!v->ack_ns || (orig_ns[STEP_DATA] && orig_ns[STEP_DATA] < v->ack_ns))
		v->ack_ns = orig_ns[STEP_DATA];
}

void evidence__judge(const struct evidence *ev, __u64 now_ns, struct evidence_verdict *v)
{
	memset(v, 0, sizeof(*v));
	v->closed_first = DIR_COUNT;
	v->originator = find_originator(ev, &v->roles_guessed);
	v->established = judge_established(ev, v->originator);
	if (v->established)
		judge_established_states(ev, v);
	else
		judge_opening(ev, v);
	if (!judge_reset(ev, v))
		judge_expiry(ev, now_ns, v);
	v->conn_state = judge_conn_state(ev, v->originator);
	judge_handshake(ev, v);
	judge_history(ev, v);
}
