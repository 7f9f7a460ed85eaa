/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Inside of the filter: its words, its tree, and what its three parts ask of each other. Only the
 * filter_*.c files include it.
 *
 *   filter_lexer.c   characters → tokens
 *   filter_values.c  a token → port, number, mark, cgroup, states
 *   filter_host.c    a token → address
 *   filter_parser.c  tokens → tree
 *   filter_match.c   tree and session → yes or no
 */
#ifndef TCPWATCH_FILTER_TREE_H
#define TCPWATCH_FILTER_TREE_H

#include "filter.h"

enum filter_op { OP_NONE, OP_EQ, OP_NE, OP_LT, OP_LE, OP_GT, OP_GE };

/* ---- tokens ---------------------------------------------------------------------------------- */

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_OP,
	TOKEN_NOT,
	TOKEN_AND,
	TOKEN_OR
};

struct token {
	enum token_kind kind;
	enum filter_op op; /* of TOKEN_OP */
	bool is_quoted;	   /* a TOKEN_WORD that is never a keyword */
	const char *text;  /* within the filter's own copy of its words, not NUL-terminated */
	size_t len;
};

struct lexer {
	const char *at;
	struct token token; /* the current one */
};

/* lexer__next() - go to the next token. Returns 0, or -EINVAL after logging a quote without end */
int lexer__next(struct lexer *lexer);

bool token__is_word(const struct token *token, const char *word);

/* ---- the tree -------------------------------------------------------------------------------- */

enum node_kind {
	NODE_AND,
	NODE_OR,
	NODE_NOT,
	NODE_HOST,
	NODE_PORT,
	NODE_NUMBER,
	NODE_TEXT,
	NODE_STATE,
	NODE_ENDPOINT, /* as HOST, of .field */
	NODE_DEV,
	NODE_MARK,
	NODE_CGROUP /* as NUMBER, its value a path */
};

/* "inet6:[fe80::1]%eth0:443": addresses whose bits under .mask are .addr, a port if .has_port, of
 * that interface and of that family. */
struct host_condition {
	struct ip_addr addr, mask;
	bool has_addr, is_v4, has_port;
	uint8_t family; /* AF_INET, AF_INET6; 0: either */
	uint16_t port;
	uint16_t scope_len;
	const char *scope; /* as struct token has it; NULL: any */
};

/* "0x10/0xf0": marks whose bits under .mask are .mark. */
struct mark_condition {
	uint32_t mark, mask;
};

struct filter_node {
	enum node_kind kind;
	enum filter_op op;	   /* OP_NONE of AND, OR, NOT */
	bool is_remote;		   /* of HOST and PORT: which endpoint */
	const struct field *field; /* what it reads; NULL of AND, OR, NOT */
	union {
		struct {
			uint16_t left, right; /* indexes; of NOT only left */
		};
		struct host_condition host;
		struct mark_condition mark;
		uint64_t number; /* also a port */
		uint32_t states;
		struct {
			const char *text;
			size_t len;
		};
	};
};

#define FILTER_NODES_MAX 1024 /* bounds the recursion of matching too */
#define FILTER_DEPTH_MAX 64   /* parentheses and "not" within each other */

struct filter {
	char *words; /* what it was made of, joined by spaces; texts of nodes point into it */
	uint32_t states;
	bool names_states;
	bool has_root; /* false: "state" and "exclude" are all there is */
	uint16_t root;
	size_t count;
	struct filter_node nodes[FILTER_NODES_MAX];
};

/* ---- values ---------------------------------------------------------------------------------- */

#define VALUE_MAX 64 /* bytes of any word that has a meaning here */

/* A piece of a word, NUL-terminated for libc. Longer words mean nothing and are cut to no meaning.
 */
struct piece {
	char text[VALUE_MAX + 1];
};

bool piece__copy(struct piece *piece, const char *text, size_t len);
/* piece__digits() - decimal digits only; false for anything else and for more than @max */
bool piece__digits(const char *text, uint64_t max, uint64_t *out);
/* piece__port() - a number, or a service of TCP */
bool piece__port(const char *text, uint64_t *port);

/* Each returns 0, or -EINVAL after logging the word and what would do. */
int filter_value__host(const struct token *token, struct host_condition *host);
int filter_value__mark(const struct token *token, struct mark_condition *mark);
/* filter_value__cgroup() - a path, below the mount point of cgroups or as a file, to the id */
int filter_value__cgroup(const struct token *token, uint64_t *id);
int filter_value__port(const struct token *token, uint64_t *port);
int filter_value__states(const struct token *token, uint32_t *mask);
int filter_value__number(const struct token *token, const struct field *field, uint64_t *number);
int filter_value__choice(const struct token *token, const struct field *field);

#endif
