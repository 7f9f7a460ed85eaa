/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Real captures through the parser, the tracker and the verdict, compared with what Zeek says of
 * them (tests/captures/sessions.tsv). Where tcpwatch differs on purpose, the difference is a row of
 * a table.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <pcap/pcap.h>

#include "tracker.h"

#ifndef CAPTURES
#define CAPTURES "tests/captures"
#endif

struct expected {
	char capture[128], orig[64], resp[64], conn_state[8], history[32];
	unsigned orig_port, resp_port;
	unsigned long orig_pkts, orig_bytes, resp_pkts, resp_bytes;
};

/* Bytes before the IP header of link types that the taps do not meet, or -1: Ethernet. */
static int bytes_before_ip(pcap_t *pcap)
{
	switch (pcap_datalink(pcap)) {
	case DLT_RAW:
		return 0;
	case DLT_NULL:
		return 4;
	case DLT_LINUX_SLL:
		return 16;
	default:
		return -1;
	}
}

static void load(struct tracker *t, const char *capture)
{
	char path[256], err[PCAP_ERRBUF_SIZE];
	struct pcap_pkthdr *hdr;
	const u_char *data;
	pcap_t *pcap;
	int skip;

	snprintf(path, sizeof(path), CAPTURES "/%s", capture);
	pcap = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, err);
	if (!pcap)
		fail_msg("%s", err);
	skip = bytes_before_ip(pcap);
	while (pcap_next_ex(pcap, &hdr, &data) == 1) {
		struct frame frame = {
			.data = data + (skip > 0 ? skip : 0),
			.end = data + hdr->caplen,
			.len = hdr->len - (skip > 0 ? skip : 0),
			.segs = 1,
			.l3 = skip >= 0,
		};

		tracker__frame(t, &frame,
			       hdr->ts.tv_sec * TW_NSEC_PER_SEC + (uint64_t)hdr->ts.tv_usec);
	}
	pcap_close(pcap);
}

static void parse_addr(struct ip_addr *addr, const char *text)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		ip_addr__set_v4(addr, v4.s_addr);
	else
		assert_int_equal(inet_pton(AF_INET6, text, addr), 1);
}

/* The tracked session that @want describes: same tuple, originator, and verdict; or 0 and what came
 * closest. */
static bool matches(const struct tracked *item, const struct expected *want, char *got, size_t size)
{
	struct evidence_verdict v;
	struct ip_addr orig, resp;
	struct flow_key key;
	struct evidence ev;
	unsigned dir;

	parse_addr(&orig, want->orig);
	parse_addr(&resp, want->resp);
	dir = flow_key__set(&key, &orig, htons(want->orig_port), &resp, htons(want->resp_port), 1);
	if (!flow_key__equal(&key, &item->frag.key))
		return false;
	evidence__init(&ev, &item->frag.key);
	evidence__add_fragment(&ev, &item->frag, item->frag.first_ns);
	evidence__judge(&ev, item->frag.first_ns, &v);
	snprintf(got, size, "%s %s %s %lu %lu", v.originator == dir ? "" : "roles swapped",
		 conn_state__name(v.conn_state), v.history, (unsigned long)ev.half[dir].segments,
		 (unsigned long)ev.half[!dir].segments);
	return v.originator == dir && !strcmp(conn_state__name(v.conn_state), want->conn_state) &&
	       !strcmp(v.history, want->history) && ev.half[dir].segments == want->orig_pkts &&
	       ev.half[!dir].segments == want->resp_pkts;
}

/*
 * Where tcpwatch differs on purpose: two log lines of Zeek are one session here, and the other way
 * round. Zeek drops segments with a bad checksum (here offloading leaves them bad on every host's
 * own segments), and gives up a one-sided attempt after seconds, to begin another midstream.
 */
static const struct difference {
	const char *capture;
	unsigned orig_port;
	const char *conn_state, *history;
	unsigned long orig_pkts, resp_pkts;
} differences[] = {
	{"smtp.pcap", 1470, "SF", "ShAdDaTFf", 28, 25},
	{"smtp.pcap", 49648, "S1", "ShAdDa", 17, 10},
	{"ssh-ssh.client-side-half-duplex.pcap", 51880, "SH", "SADF", 25, 0},
	{"ssh-ssh.client-side-half-duplex.pcap", 57189, "SH", "SADF", 38, 0},
	{"ssh-ssh.client-side-half-duplex.pcap", 56594, "SH", "SADF", 17, 0},
	{"ssh-ssh.client-side-half-duplex.pcap", 56875, "SH", "SADF", 19, 0},
	{"ssh-ssh.client-side-half-duplex.pcap", 41164, "SH", "SADF", 32, 0},
};

static void apply_difference(struct expected *want)
{
	for (size_t i = 0; i < sizeof(differences) / sizeof(differences[0]); i++) {
		const struct difference *d = &differences[i];

		if (strcmp(d->capture, want->capture) || d->orig_port != want->orig_port)
			continue;
		strcpy(want->conn_state, d->conn_state);
		strcpy(want->history, d->history);
		want->orig_pkts = d->orig_pkts;
		want->resp_pkts = d->resp_pkts;
	}
}

static void check(struct tracker *t, const struct expected *want, unsigned *failed)
{
	char got[128] = "no such session";

	for (size_t i = 0; i < t->count; i++)
		if (matches(&t->items[i], want, got, sizeof(got)))
			return;
	print_error("%s %s:%u > %s:%u: want %s %s %lu %lu, got %s\n", want->capture, want->orig,
		    want->orig_port, want->resp, want->resp_port, want->conn_state, want->history,
		    want->orig_pkts, want->resp_pkts, got);
	++*failed;
}

static void test_zeek_agrees(void **state)
{
	unsigned failed = 0, rows = 0;
	char line[512], loaded[128] = "";
	struct tracker t = {0};
	FILE *tsv = fopen(CAPTURES "/sessions.tsv", "r");

	(void)state;
	assert_non_null(tsv);
	while (fgets(line, sizeof(line), tsv)) {
		struct expected want;

		if (line[0] == '#')
			continue;
		assert_int_equal(sscanf(line, "%127s %63s %u %63s %u %7s %31s %lu %lu %lu %lu",
					want.capture, want.orig, &want.orig_port, want.resp,
					&want.resp_port, want.conn_state, want.history,
					&want.orig_pkts, &want.orig_bytes, &want.resp_pkts,
					&want.resp_bytes),
				 11);
		if (strcmp(loaded, want.capture)) {
			tracker__free(&t);
			load(&t, want.capture);
			strcpy(loaded, want.capture);
		}
		apply_difference(&want);
		check(&t, &want, &failed);
		rows++;
	}
	fclose(tsv);
	tracker__free(&t);
	assert_true(rows > 60);
	assert_int_equal(failed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_zeek_agrees)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
