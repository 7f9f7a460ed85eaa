/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Inside of the filter: its words, its tree, and what its three parts ask of each other. Only the
 * filter_*.c files include it.
 *
 *   filter_lexer.c   characters → tokens
 *   filter_values.c  a token → address, port, number, states
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
	NODE_ENDPOINT /* as HOST, of .field */
};

/* "10.0.0.0/8:443": addresses whose bits under @mask are @addr, and a port unless @has_port is not
 * set. */
struct host_condition {
	struct ip_addr addr, mask;
	bool has_addr, is_v4, has_port;
	uint16_t port;
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

/* Each returns 0, or -EINVAL after logging the word and what would do. */
int filter_value__host(const struct token *token, struct host_condition *host);
int filter_value__port(const struct token *token, uint64_t *port);
int filter_value__states(const struct token *token, uint32_t *mask);
int filter_value__number(const struct token *token, const struct field *field, uint64_t *number);
int filter_value__choice(const struct token *token, const struct field *field);

#endif
