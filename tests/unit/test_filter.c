/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Filters: what each form matches, what each mistake is told, and that no words at all make it
 * stumble.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "capture.h"
#include "sample.h"
#include "user/model/filter.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The sessions that the expressions below choose from, each with its letter. */
enum { A_BOTH, B_LISTENER, C_WIRE, D_IPV6, E_MAPPED, F_TIME_WAIT, N_SESSIONS };

static void make_sessions(struct sample s[N_SESSIONS])
{
	sample__init(&s[A_BOTH]); /* 10.0.0.1:443 ← 192.0.2.7:51515, ESTAB, nginx */
	sample__translate(&s[A_BOTH], "192.0.2.7", 51515, "172.16.0.2", 8443);
	sample__init_listener(&s[B_LISTENER]); /* 0.0.0.0:443 */
	sample__init_wire(&s[C_WIRE]);
	sample__set_endpoints(&s[C_WIRE], "10.9.8.7", 40000, "203.0.113.5", 22);
	s[C_WIRE].verdict.originator = DIR_LOW;
	sample__init(&s[D_IPV6]);
	sample__set_endpoints(&s[D_IPV6], "2001:db8::1", 8080, "2001:db8:1::2", 1023);
	s[D_IPV6].sock.family = AF_INET6;
	s[D_IPV6].sock.state = TCPS_SYN_SENT;
	s[D_IPV6].sock.role = ROLE_ACTIVE;
	strcpy(s[D_IPV6].session.owner.comm, "tmux: server");
	sample__init_socket(&s[E_MAPPED]); /* an IPv4 peer of an AF_INET6 socket */
	sample__set_endpoints(&s[E_MAPPED], "10.0.0.1", 80, "198.51.100.1", 65535);
	s[E_MAPPED].sock.family = AF_INET6;
	s[E_MAPPED].sock.srtt_us = 0;
	s[E_MAPPED].session.owner.pid = 0;
	sample__init(&s[F_TIME_WAIT]);
	sample__set_endpoints(&s[F_TIME_WAIT], "127.0.0.1", 1024, "127.0.0.1", 443);
	s[F_TIME_WAIT].sock.is_minisock = true;
	s[F_TIME_WAIT].sock.state = TCPS_TIME_WAIT;
	s[F_TIME_WAIT].session.owner.pid = 0;
	s[F_TIME_WAIT].session.ifname = "lo";
}

static void matched_letters(const struct filter *filter, char letters[N_SESSIONS + 1])
{
	struct sample samples[N_SESSIONS];

	make_sessions(samples);
	for (int i = 0; i < N_SESSIONS; i++)
		if (filter__match(filter, &samples[i].session, &sample_moment))
			*letters++ = (char)('A' + i);
	*letters = '\0';
}

/* The words of @text as the shell would give them if nothing were quoted. */
static int split(char *text, const char **argv, int max)
{
	int argc = 0;

	for (char *word = strtok(text, " "); word && argc < max; word = strtok(NULL, " "))
		argv[argc++] = word;
	return argc;
}

static const struct match_case {
	const char *text, *letters;
} match_cases[] = {
	/* states */
	{"state established", "AE"},
	{"state established state syn-sent", "ADE"},
	{"state all", "ABCDEF"},
	{"state listening", "B"},
	{"state LISTEN", "B"},
	{"state estab", "AE"},
	{"state connected", "ACDEF"},
	{"state synchronized", "ACEF"},
	{"state bucket", "F"},
	{"state big", "ABCDE"},
	{"exclude time-wait", "ABCDE"},
	{"excl time-wait exclude listening", "ACDE"},
	{"state connected exclude established", "CDF"},
	{"state all exclude bucket", "ABCDE"},
	{"state established dport = 51515", "A"},
	{"state = established", "AE"},
	{"state != established", "BCDF"},
	{"state = connected and sport = 443", "A"},
	{"peer_state = fin-wait-2", "ACDF"},
	/* ports */
	{"sport = :443", "AB"},
	{"sport = 443", "AB"},
	{"sport 443", "AB"},
	{"sport :443", "AB"},
	{"sport :https", "AB"},
	{"dport = ssh", "C"},
	{"sport=:443", "AB"},
	{"sport==443", "AB"},
	{"sport != 443", "CDEF"},
	{"sport ge :1024", "CDF"},
	{"sport >= 1024", "CDF"},
	{"sport > 1024", "CD"},
	{"dport lt :1024", "BCDF"}, /* a listener's is 0, as for ss */
	{"dport le 1023", "BCDF"},
	{"dport gt 1023 and dport leq 51515", "A"},
	{"dport = 65535", "E"},
	{"dport = 0", "B"},
	{"local_port = 443", "AB"},
	{"remote_port eq 22", "C"},
	{"not dport = 22", "ABDEF"},
	{"dport neq 22", "ABDEF"},
	/* addresses */
	{"dst 192.0.2.7", "A"},
	{"dst = 192.0.2.7", "A"},
	{"dst != 192.0.2.7", "BCDEF"},
	{"dst 192.0.2.7:51515", "A"},
	{"dst 192.0.2.7:443", ""},
	{"dst 192.0.2.7:*", "A"},
	{"dst 203.0.113.5:ssh", "C"},
	{"src 10.0.0.0/8", "ACE"},
	{"src 10.0.0.1/8", "ACE"}, /* bits behind the prefix do not matter, as for ss */
	{"src 10.0.0.0/8:80", "E"},
	{"src 10.0.0.0/31", "AE"},
	{"src 10/8", "ACE"},
	{"src 10.9/16", "C"},
	{"src 10.9.8/24", "C"},
	{"src 10.9/16:40000", "C"},
	{"src 10.9/16:80", ""},
	{"dst 198.51/15", "E"},
	{"src 10.0.0.1/32", "AE"},
	{"src 0.0.0.0/0", "ABCEF"},
	{"src 0.0.0.0", "B"},
	{"src ::/0", "D"},
	{"src [::]/0", "D"},
	{"src 2001:db8::1", "D"},
	{"src [2001:db8::1]", "D"},
	{"src [2001:db8::1]:8080", "D"},
	{"src [2001:db8::1]:8081", ""},
	{"src [2001:db8::/32]:8080", "D"},
	{"src [2001:db8::]/32:8080", "D"},
	{"src 2001:db8::/32", "D"},
	{"src 2001:db8::/32:8080", "D"},
	{"src 2001:db8:8000::/33", ""},
	{"src ::ffff:10.0.0.1", "AE"},
	{"src [::ffff:10.0.0.1]:80", "E"},
	{"src [::ffff:10.0.0.0]/104", "ACE"},
	{"src :443", "AB"},
	{"src *:443", "AB"},
	{"src *", "ABCDEF"},
	{"local = 10.0.0.1:443", "A"},
	{"nat_local = 172.16.0.0/12:8443", "A"},
	{"nat_local = 172.16.0.0/12:443", ""},
	{"nat_local_addr = 172.16.0.2", "A"},
	{"nat_local_addr != 172.16.0.2", ""},
	{"nat_local_port >= 8443", "A"},
	{"nat_remote_addr = 0.0.0.0/0", ""}, /* it is called the same */
	{"remote_addr = 198.51.100.1", "E"},
	{"dst 127.0.0.0/8", "F"},
	/* and, or, not */
	{"( dport = :443 or dst 192.0.2.0/24 )", "AF"},
	{"dport = :443 or dst 192.0.2.0/24", "AF"},
	{"dport = :443 || dst 192.0.2.0/24", "AF"},
	{"dport = :443 | dst 192.0.2.0/24", "AF"},
	{"sport = 443 and dport = 51515", "A"},
	{"sport = 443 && dport = 51515", "A"},
	{"sport = 443 & dport = 51515", "A"},
	{"sport = 443 dport = 51515", "A"},
	{"sport = 443 dport = 51515 or dport = 22", "AC"},
	{"dport = 22 or sport = 443 dport = 51515", "AC"},
	{"( dport = 22 or sport = 443 ) dport = 51515", "A"},
	{"not ( dport = 22 or sport = 443 )", "DEF"},
	{"! dport = 22", "ABDEF"},
	{"!dport=22", "ABDEF"},
	{"!(dport=22|sport=443)", "DEF"},
	{"not not dport = 22", "C"},
	{"not dport = 22 and not sport = 443", "DEF"},
	{"state connected ( sport = 443 or sport = 80 )", "AE"},
	/* any field */
	{"pid = 812", "ABD"},
	{"pid != 812", ""}, /* the others' is unknown */
	{"not pid = 812", "CEF"},
	{"comm = nginx", "AB"},
	{"comm = \"nginx\"", "AB"},
	{"comm != nginx", "D"},
	{"rtt_seconds > 10ms", "AD"},
	{"rtt > 10ms", "AD"},
	{"rtt_seconds > 0.0123", "AD"},
	{"rtt_seconds = 12345us", "AD"},
	{"rtt_seconds < 12.345ms", ""},
	{"rtt_seconds <= 12.345ms", "AD"},
	{"age_seconds >= 6s", "C"},
	{"age > 5.5 and age < 0.2m", "C"},
	{"age < 1h", "ABCDEF"},
	{"age < 1d", "ABCDEF"},
	{"handshake_seconds = 123456ns", "ACDF"},
	{"tx_bytes > 1M", "ACDEF"},
	{"tx_bytes > 1.43M", "ADE"},
	{"tx_bytes >= 1500000", "ADE"},
	{"tx_bytes > 1464.8K", "ADE"},
	{"tx_bytes < 1g", "ACDEF"},
	{"direction = in", "AEF"},
	{"direction = out", "CD"},
	{"direction != in", "CD"},
	{"view = wire", "C"},
	{"view = both", "ADF"},
	{"dev eth0", "ACD"},
	{"dev = lo", "F"},
	{"dev != lo", "ACD"},
	{"ifname = lo", "F"},
	{"netns = self", "ABCDEF"},
	{"conn_state = S2", "ACDF"},
	{"roles_guessed = no", "ACDEF"},
	{"roles_guessed = TRUE", ""},
	{"syn_queue > 0", "B"},
	{"uid = 33", "ABDE"},
};

/* Filter @text, given as @argc words; "" if it is refused. */
static void check_match(const struct match_case *c, int argc, const char *const *argv)
{
	char letters[N_SESSIONS + 1];
	struct filter *filter = NULL;

	if (filter__parse(&filter, argc, argv))
		fail_msg("'%s' is refused", c->text);
	matched_letters(filter, letters);
	if (strcmp(letters, c->letters))
		fail_msg("'%s' matches '%s', expected '%s'", c->text, letters, c->letters);
	filter__free(filter);
}

static void matches(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(match_cases); i++) {
		char text[256];
		const char *argv[32];

		check_match(&match_cases[i], 1, &match_cases[i].text);
		snprintf(text, sizeof(text), "%s", match_cases[i].text);
		check_match(&match_cases[i], split(text, argv, COUNT_OF(argv)), argv);
	}
}

/* What sockets alone have: a scope, a family, a mark, a port that was chosen, a cgroup. */
enum { L_LINK_LOCAL, M_MAPPED, V_IPV4, W_WIRE, N_PLACES };

static void make_places(struct sample s[N_PLACES])
{
	sample__init(&s[L_LINK_LOCAL]);
	sample__set_endpoints(&s[L_LINK_LOCAL], "fe80::1", 40000, "fe80::2", 22);
	s[L_LINK_LOCAL].sock.family = AF_INET6;
	s[L_LINK_LOCAL].sock.role = ROLE_ACTIVE;
	s[L_LINK_LOCAL].sock.is_autobound = true;
	s[L_LINK_LOCAL].sock.mark = 0x15;
	s[L_LINK_LOCAL].session.scope = "eth7";
	sample__init(&s[M_MAPPED]);
	sample__set_endpoints(&s[M_MAPPED], "10.0.0.1", 80, "10.0.0.2", 22);
	s[M_MAPPED].sock.family = AF_INET6;
	s[M_MAPPED].sock.role = ROLE_PASSIVE;
	s[M_MAPPED].sock.is_autobound = true; /* as the kernel has it of one that was accepted */
	sample__init(&s[V_IPV4]);
	sample__set_endpoints(&s[V_IPV4], "10.0.0.1", 81, "10.0.0.2", 22);
	s[V_IPV4].sock.mark = 0x25;
	s[V_IPV4].session.scope = "lo";
	sample__init_wire(&s[W_WIRE]);
	sample__set_endpoints(&s[W_WIRE], "10.0.0.1", 82, "10.0.0.2", 22);
}

static void matches_places(void **state)
{
	static const struct match_case cases[] = {
		{"src inet:", "VW"},
		{"src inet6:", "LM"},
		{"src inet:10.0.0.1", "VW"},
		{"src inet6:[::ffff:10.0.0.1]:80", "M"},
		{"src inet6:10.0.0.0/8", "M"},
		{"dst != inet6:", "VW"},
		{"dst inet:10.0.0.2:22", "VW"},
		{"src inet:*:81", "V"},
		{"src inet6::80", "M"},
		{"src 10.0.0.1", "MVW"},
		{"src fe80::1%eth7", "L"},
		{"src [fe80::1%eth7]:40000", "L"},
		{"src [fe80::1]%eth7:40000", "L"},
		{"src fe80::1%eth7:40000", "L"},
		{"src fe80::%eth7/64", "L"},
		{"src [fe80::]%eth7/10:40000", "L"},
		{"dst inet6:[fe80::2%eth7]:22", "L"},
		{"local = fe80::1%eth7", "L"},
		{"src fe80::1%eth", ""},
		{"src fe80::1%eth70", ""},
		{"src fe80::1%eth7:1", ""},
		{"src 10.0.0.1%lo:81", "V"},
		{"src *%lo", "V"},
		{"src *%lo:82", ""},
		{"dev eth7", "L"},
		{"dev lo", "V"},
		{"dev eth0", "LMVW"}, /* where taps see them */
		{"dev != lo", "LMW"},
		{"scope = lo", "V"},
		{"autobound", "L"},
		{"not autobound", "MVW"},
		{"! autobound and sport = 81", "V"},
		{"autobound or sport = 81", "LV"},
		{"( autobound )", "L"},
		{"autobound = no", "MV"},
		{"fwmark 0x15", "L"},
		{"fwmark = 0x05/0x0f", "LV"},
		{"fwmark 025/0xff", "L"},
		{"fwmark != 37", "LM"},
		{"fwmark ne 0/0", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct sample samples[N_PLACES];
		char letters[N_PLACES + 1], *at = letters;
		struct filter *filter = NULL;

		make_places(samples);
		if (filter__parse(&filter, 1, &cases[i].text))
			fail_msg("'%s' is refused", cases[i].text);
		for (int s = 0; s < N_PLACES; s++)
			if (filter__match(filter, &samples[s].session, &sample_moment))
				*at++ = "LMVW"[s];
		*at = '\0';
		if (strcmp(letters, cases[i].letters))
			fail_msg("'%s' matches '%s', expected '%s'", cases[i].text, letters,
				 cases[i].letters);
		filter__free(filter);
	}
}

static void quotes_keep_words_together(void **state)
{
	static const struct match_case cases[] = {
		{"comm = \"tmux: server\"", "D"}, {"comm = 'tmux: server'", "D"}, {"comm = ''", ""},
		{"comm = 'a=b&(c)'", ""},	  {"comm = 'and'", ""},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++)
		check_match(&cases[i], 1, &cases[i].text);
}

static const struct error_case {
	const char *text, *message;
} error_cases[] = {
	{"stat established", "unknown field 'stat'; did you mean 'state'?"},
	{"state establishd", "'establishd' is no TCP state; did you mean 'established'?"},
	{"state", "'end of the filter' stands where a state is expected"},
	{"state (", "'(' stands where a state is expected"},
	{"state xyzzyx", "'xyzzyx' is no TCP state; try established"},
	{"exclude", "'end of the filter' stands where a state is expected"},
	{"exclude = time-wait", "'=' stands where a state is expected"},
	{"dport = 22 state established", "'state established' stands behind another condition"},
	{"dport = 22 exclude = x", "'exclude =' stands behind another condition"},
	{"dport = 22 exclude", "'exclude end of the filter' stands behind"},
	{"dport", "'end of the filter' stands where a value is expected"},
	{"dport =", "'end of the filter' stands where a value is expected"},
	{"dport = )", "')' stands where a value is expected"},
	{"dport = = 5", "'=' stands where a value is expected"},
	{"dport = 65536", "'65536' is no port"},
	{"dport = 99999999999999999999999", "is no port"},
	{"dport = -1", "'-1' is no port"},
	{"dport = :", "':' is no port"},
	{"dport = no-such-service", "'no-such-service' is no port; write a number"},
	{"dport = 22x", "'22x' is no port"},
	{"dst 10.0.0.0/33", "'10.0.0.0/33' is no address"},
	{"dst 10.0.0.0/", "'10.0.0.0/' is no address"},
	{"dst 10.0.0.0/-1", "is no address"},
	{"dst 10.0.0.0/8/8", "is no address"},
	{"dst 2001:db8::/129", "is no address"},
	{"dst 10.0.0", "'10.0.0' is no address"},
	{"dst 10", "'10' is no address"},
	{"dst 10./8", "'10./8' is no address"},
	{"dst 10..0/16", "'10..0/16' is no address"},
	{"dst .10/16", "'.10/16' is no address"},
	{"dst 010/8", "'010/8' is no address"}, /* 8, for ss */
	{"dst 256/8", "'256/8' is no address"},
	{"dst 10.0.0.0.0/8", "'10.0.0.0.0/8' is no address"},
	{"dst /8", "'/8' is no address"},
	{"dst 10.0.0.256", "is no address"},
	{"dst 10.0.0.1:", "is no address"},
	{"dst 10.0.0.1:99999", "is no address"},
	{"dst [2001:db8::1", "'[2001:db8::1' is no address"},
	{"dst [2001:db8::1]443", "is no address"},
	{"dst []", "is no address"},
	{"dst */8", "is no address"},
	{"dst www.example.com", "'www.example.com' is no address; names are not looked up"},
	{"dst fe80::1%", "'fe80::1%' is no address"},
	{"dst %eth0", "'%eth0' is no address"},
	{"dst [fe80::1%eth0", "is no address"},
	{"dst fe80::1%eth0%eth1:x", "is no address"},
	{"dst unix:/run/x", "'unix:/run/x' is of no address family that TCP has"},
	{"src vsock:1", "'vsock:1' is of no address family that TCP has"},
	{"dst inet:10.0.0", "'inet:10.0.0' is no address"},
	{"fwmark x", "'x' is no mark; write MARK or MARK/MASK"},
	{"fwmark 1/", "'1/' is no mark"},
	{"fwmark -1", "'-1' is no mark"},
	{"fwmark 0x100000000", "is no mark"},
	{"fwmark > 1", "'fwmark' has no order"},
	{"cgroup", "'end of the filter' stands where a value is expected"},
	{"cgroup /no/such", "there is no cgroup '/no/such'"},
	{"cgroup ''", "there is no cgroup ''"},
	{"cgroup > /", "'cgroup' has no order"},
	{"autobound > no", "'autobound' has no order"},
	{"dst > 10.0.0.1", "'dst' has no order; compare it with = or !="},
	{"dst ''", "'' is no address"},
	{"comm < nginx", "'comm' has no order"},
	{"state > established", "'state' has no order"},
	{"roles_guessed > 0", "'roles_guessed' has no order"},
	{"roles_guessed = perhaps", "'perhaps' is no value of roles_guessed; write yes or no"},
	{"rtt_secnds > 10ms", "unknown field 'rtt_secnds'; did you mean 'rtt_seconds'?"},
	{"dprot = 22", "unknown field 'dprot'; did you mean 'dport'?"},
	{"pid 12", "'pid' needs a comparison, as in 'pid = VALUE'"},
	{"pid = twelve", "'twelve' is no value of pid; write a whole number"},
	{"pid = 1.5", "'1.5' is no value of pid"},
	{"pid = 10K", "'10K' is no value of pid"},
	{"pid = 18446744073709551616", "is no value of pid"},
	{"rtt_seconds > 10msec", "'10msec' is no value of rtt_seconds; write a time such as 10ms"},
	{"rtt_seconds > 1.", "is no value of rtt_seconds"},
	{"rtt_seconds > .5", "is no value of rtt_seconds"},
	{"rtt_seconds > 1.5ns", "is no value of rtt_seconds"},
	{"rtt_seconds > 99999999999999", "is no value of rtt_seconds"},
	{"age < 213504d", "is no value of age_seconds"},
	{"tx_bytes > 1X", "'1X' is no value of tx_bytes; write a size"},
	{"tx_bytes > 16777216T", "is no value of tx_bytes"},
	{"tx_bytes > -5", "is no value of tx_bytes"},
	{"direction = inn", "'inn' is no value of direction; one of in|out|forward"},
	{"conn_state = S9", "'S9' is no value of conn_state; one of S0|"},
	{"10.0.0.1", "'10.0.0.1' has no condition before it, such as src"},
	{":443", "':443' has no condition before it"},
	{"(", "'end of the filter' stands where a condition is expected"},
	{"()", "')' stands where a condition is expected"},
	{")", "')' stands where a condition is expected"},
	{"( dport = 22", "'end of the filter' stands where ')' is expected"},
	{"dport = 22 )", "')' has no counterpart before it"},
	{"dport = 22 or", "'end of the filter' stands where a condition is expected"},
	{"dport = 22 and or sport = 1", "'or' stands where a condition is expected"},
	{"not", "'end of the filter' stands where a condition is expected"},
	{"= 5", "'=' stands where a condition is expected"},
	{"comm = \"nginx", "the quote in '\"nginx ' has no end"},
	{"\"pid\" = 5", "unknown field 'pid'"},
	{"'' = 5", "unknown field ''"},
	{"z\033[31m = 5", "unknown field 'z\\x1b[31m'"},
	{"comm = nginx extra", "unknown field 'extra'"},
};

static void refuses(void **state)
{
	struct capture capture;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(error_cases); i++) {
		const struct error_case *c = &error_cases[i];
		struct filter *filter = NULL;
		const char *message;
		int err;

		capture__begin(&capture);
		err = filter__parse(&filter, 1, &c->text);
		message = capture__end(&capture);
		if (err != -EINVAL || filter)
			fail_msg("'%s' gives %d", c->text, err);
		if (!strstr(message, c->message))
			fail_msg("'%s' says: %s", c->text, message);
		if (strncmp(message, "tcpwatch: filter: ", 18) ||
		    strchr(message, '\n') != message + strlen(message) - 1)
			fail_msg("'%s' does not say it in one line: %s", c->text, message);
	}
}

/* A filter of @count pieces around a core; returns what filter__parse() says. */
static int parse_repeated(const char *before, const char *core, const char *after, unsigned count)
{
	size_t size = count * (strlen(before) + strlen(after)) + strlen(core) + 1;
	char *text = calloc(1, size), *at = text;
	const char *argv[] = {text};
	struct filter *filter = NULL;
	struct capture capture;
	int err;

	assert_non_null(text);
	for (unsigned i = 0; i < count; i++)
		at = stpcpy(at, before);
	at = stpcpy(at, core);
	for (unsigned i = 0; i < count; i++)
		at = stpcpy(at, after);
	capture__begin(&capture);
	err = filter__parse(&filter, 1, argv);
	capture__end(&capture);
	if (!err) {
		char letters[N_SESSIONS + 1];

		matched_letters(filter, letters);
	}
	filter__free(filter);
	free(text);
	return err;
}

/* Neither depth nor length of a filter may exhaust the stack. */
static void bounds_size(void **state)
{
	(void)state;
	assert_int_equal(parse_repeated("(", "pid = 1", ")", 64), 0);
	assert_int_equal(parse_repeated("(", "pid = 1", ")", 65), -EINVAL);
	assert_int_equal(parse_repeated("!", "pid = 1", "", 64), 0);
	assert_int_equal(parse_repeated("!", "pid = 1", "", 100000), -EINVAL);
	assert_int_equal(parse_repeated("(", "", "", 100000), -EINVAL);
	assert_int_equal(parse_repeated("pid = 1 or ", "pid = 1", "", 511), 0);
	assert_int_equal(parse_repeated("pid = 1 or ", "pid = 1", "", 512), -EINVAL);
	assert_int_equal(parse_repeated("dport = 1 ", "pid = 1", "", 100000), -EINVAL);
}

/* Random words of the grammar: refused or not, parsing ends and matching reads nothing it may not.
 */
static void survives_nonsense(void **state)
{
	static const char *const words[] = {
		"state",       "exclude", "established", "(",	       ")",	 "or",
		"and",	       "not",	  "!",		 "=",	       "!=",	 "<",
		"dport",       "src",	  "dst",	 "443",	       ":443",	 "10.0.0.0/8",
		"[::1]:80",    "::",	  "comm",	 "nginx",      "\"",	 "'",
		"rtt_seconds", "10ms",	  "tx_bytes",	 "1M",	       "state=", "\xff\xfe",
		"dev",	       "",	  "view",	 "wire",       "[",	 "]",
		"/",	       ":",	  "local",	 "iface_gone",
	};
	struct capture capture;
	uint32_t seed = 7;

	(void)state;
	capture__begin(&capture);
	for (int round = 0; round < 20000; round++) {
		const char *argv[8];
		char letters[N_SESSIONS + 1];
		struct filter *filter = NULL;
		int argc = 1 + round % 8;

		for (int i = 0; i < argc; i++) {
			seed = seed * 1664525u + 1013904223u;
			argv[i] = words[(seed >> 16) % COUNT_OF(words)];
		}
		if (!filter__parse(&filter, argc, argv))
			matched_letters(filter, letters);
		filter__free(filter);
	}
	capture__end(&capture);
}

static void no_words_pass_all(void **state)
{
	struct filter *filter = (struct filter *)1;
	struct sample s;

	(void)state;
	sample__init(&s);
	assert_int_equal(filter__parse(&filter, 0, NULL), 0);
	assert_null(filter);
	assert_true(filter__match(NULL, &s.session, &sample_moment));
	assert_false(filter__names_states(NULL));
	assert_false(filter__uses(NULL, "pid"));
	filter__free(NULL);
}

static void unknown_state_is_in_all(void **state)
{
	static const struct {
		const char *text;
		bool passes;
	} cases[] = {
		{"state all", true},	    {"exclude listening", true},  {"state big", true},
		{"state connected", false}, {"state established", false},
	};
	struct session blank = {.netns = 1};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct filter *filter;

		assert_int_equal(filter__parse(&filter, 1, &cases[i].text), 0);
		assert_int_equal(filter__match(filter, &blank, &sample_moment), cases[i].passes);
		filter__free(filter);
	}
}

static const struct uses_case {
	const char *text;
	bool names_states, uses_pid, uses_port;
} uses_cases[] = {
	{"state established", true, false, false},
	{"state all", true, false, false},
	{"exclude listening", true, false, false},
	{"dport = 443", false, false, true},
	{"dport = 443 and pid = 5", false, true, true},
	{"state = established or pid = 5", true, true, false},
	{"peer_state = established", false, false, false},
};

static void tells_what_it_uses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(uses_cases); i++) {
		const struct uses_case *c = &uses_cases[i];
		struct filter *filter;

		assert_int_equal(filter__parse(&filter, 1, &c->text), 0);
		if (filter__names_states(filter) != c->names_states ||
		    filter__uses(filter, "pid") != c->uses_pid ||
		    filter__uses(filter, "remote_port") != c->uses_port)
			fail_msg("%s", c->text);
		filter__free(filter);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches),
		cmocka_unit_test(matches_places),
		cmocka_unit_test(quotes_keep_words_together),
		cmocka_unit_test(refuses),
		cmocka_unit_test(bounds_size),
		cmocka_unit_test(survives_nonsense),
		cmocka_unit_test(no_words_pass_all),
		cmocka_unit_test(unknown_state_is_in_all),
		cmocka_unit_test(tells_what_it_uses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
