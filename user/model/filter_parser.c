/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The grammar of filters: recursive descent over the tokens, nodes into the tree. Each function
 * that parses returns the index of its node, or -EINVAL once the reason is logged.
 */
#include "filter_tree.h"

#include <errno.h>
#include <stdlib.h>

#include "tcp_state.h"
#include "user/util/log.h"
#include "user/util/nearest.h"
#include "user/util/strbuf.h"

struct parser {
	struct lexer lexer;
	struct filter *filter;
	unsigned depth;
};

/* ss's words for conditions, and the keys that mean the same, each with the field it reads. */
static const struct keyword {
	const char *word;
	enum node_kind kind;
	bool is_remote;
	const char *key;
} keywords[] = {
	{"src", NODE_HOST, false, "local_addr"},
	{"dst", NODE_HOST, true, "remote_addr"},
	{"local", NODE_HOST, false, "local_addr"},
	{"remote", NODE_HOST, true, "remote_addr"},
	{"local_addr", NODE_HOST, false, "local_addr"},
	{"remote_addr", NODE_HOST, true, "remote_addr"},
	{"sport", NODE_PORT, false, "local_port"},
	{"dport", NODE_PORT, true, "remote_port"},
	{"local_port", NODE_PORT, false, "local_port"},
	{"remote_port", NODE_PORT, true, "remote_port"},
	{"dev", NODE_DEV, false, "ifname"},
	{"fwmark", NODE_MARK, false, "fwmark"},
	{"cgroup", NODE_CGROUP, false, "cgroup_id"},
};

#define AUTOBOUND  "autobound" /* a condition by itself; also the key of a field */

#define N_KEYWORDS (sizeof(keywords) / sizeof(keywords[0]))

static const struct field *field_of_key(const char *key)
{
	return field__find(&session_fields, key, strlen(key));
}

static int add_node(struct parser *p, const struct filter_node *node)
{
	struct filter *filter = p->filter;

	if (filter->count == FILTER_NODES_MAX) {
		log_error("filter: too long; at most %d conditions and connectives fit",
			  FILTER_NODES_MAX);
		return -EINVAL;
	}
	filter->nodes[filter->count] = *node;
	return (int)filter->count++;
}

static int add_branch(struct parser *p, enum node_kind kind, int left, int right)
{
	struct filter_node node = {.kind = kind, .left = (uint16_t)left, .right = (uint16_t)right};

	return add_node(p, &node);
}

/* ---- conditions ------------------------------------------------------------------------------ */

/* "word", or the end of the filter, as a message quotes it. */
static int word_len(const struct token *token)
{
	return token->kind == TOKEN_END ? (int)strlen("end of the filter") : (int)token->len;
}

static const char *word_text(const struct token *token)
{
	return token->kind == TOKEN_END ? "end of the filter" : token->text;
}

static int reject_token(const struct token *token, const char *expected)
{
	log_error("filter: '%.*s' stands where %s is expected", word_len(token), word_text(token),
		  expected);
	return -EINVAL;
}

static bool is_equality(enum filter_op op)
{
	return op == OP_EQ || op == OP_NE;
}

static int parse_value(struct filter_node *node, const struct token *token)
{
	switch (node->kind) {
	case NODE_HOST:
	case NODE_ENDPOINT:
		return filter_value__host(token, &node->host);
	case NODE_PORT:
		return filter_value__port(token, &node->number);
	case NODE_STATE:
		return filter_value__states(token, &node->states);
	case NODE_MARK:
		return filter_value__mark(token, &node->mark);
	case NODE_CGROUP:
		return filter_value__cgroup(token, &node->number);
	case NODE_NUMBER:
		if (node->field->kind == VALUE_PORT)
			return filter_value__port(token, &node->number);
		return filter_value__number(token, node->field, &node->number);
	default:
		node->text = token->text;
		node->len = token->len;
		return filter_value__choice(token, node->field);
	}
}

static bool has_order(const struct filter_node *node)
{
	return node->kind == NODE_PORT ||
	       (node->kind == NODE_NUMBER && node->field->kind != VALUE_BOOL);
}

/* The operator and the value behind @word, which chose kind and field of @node. */
static int parse_comparison(struct parser *p, struct filter_node *node, const struct token *word,
			    bool needs_op)
{
	const struct token *token = &p->lexer.token;

	node->op = OP_EQ;
	if (token->kind == TOKEN_OP) {
		node->op = token->op;
		if (lexer__next(&p->lexer))
			return -EINVAL;
	} else if (needs_op) {
		log_error("filter: '%.*s' needs a comparison, as in '%.*s = VALUE'", (int)word->len,
			  word->text, (int)word->len, word->text);
		return -EINVAL;
	}
	if (!is_equality(node->op) && !has_order(node)) {
		log_error("filter: '%.*s' has no order; compare it with = or !=", (int)word->len,
			  word->text);
		return -EINVAL;
	}
	if (token->kind != TOKEN_WORD)
		return reject_token(token, "a value");
	if (parse_value(node, token) || lexer__next(&p->lexer))
		return -EINVAL;
	return add_node(p, node);
}

static enum node_kind node_kind_of(const struct field *field)
{
	switch (field->kind) {
	case VALUE_TEXT:
		return NODE_TEXT;
	case VALUE_STATE:
		return NODE_STATE;
	case VALUE_ADDR:
	case VALUE_ENDPOINT:
		return NODE_ENDPOINT;
	default:
		return NODE_NUMBER;
	}
}

static const struct keyword *find_keyword(const struct token *token)
{
	for (size_t i = 0; i < N_KEYWORDS; i++)
		if (token__is_word(token, keywords[i].word))
			return &keywords[i];
	return NULL;
}

static int reject_name(const struct token *token)
{
	struct nearest nearest;

	nearest__init(&nearest, token->text, token->len);
	for (size_t i = 0; i < N_KEYWORDS; i++)
		nearest__offer(&nearest, keywords[i].word);
	for (size_t i = 0; i < session_fields.count; i++)
		nearest__offer(&nearest, session_fields.fields[i].key);
	if (token->len && strspn(token->text, "0123456789.:[*") > 0)
		log_error("filter: '%.*s' has no condition before it, such as src, dst, sport or "
			  "dport",
			  (int)token->len, token->text);
	else if (nearest.best)
		log_error("filter: unknown field '%.*s'; did you mean '%s'?", (int)token->len,
			  token->text, nearest.best);
	else
		log_error("filter: unknown field '%.*s'; --fields help lists them", (int)token->len,
			  token->text);
	return -EINVAL;
}

/* "state X" behind a condition would be another "and"; ss has it in front only. */
static int reject_late_state(const struct token *word, const struct token *value)
{
	log_error("filter: '%.*s %.*s' stands behind another condition; put it first, or write "
		  "'state = %.*s'",
		  (int)word->len, word->text, word_len(value), word_text(value), word_len(value),
		  word_text(value));
	return -EINVAL;
}

static bool is_state_word(const struct token *token)
{
	return token__is_word(token, "state") || token__is_word(token, "exclude") ||
	       token__is_word(token, "excl");
}

static int parse_predicate(struct parser *p)
{
	const struct token word = p->lexer.token;
	const struct keyword *keyword = find_keyword(&word);
	const struct field *field =
		word.is_quoted ? NULL : field__find(&session_fields, word.text, word.len);
	struct filter_node node = {.field = field};

	if (!keyword && !field && !is_state_word(&word))
		return reject_name(&word);
	if (lexer__next(&p->lexer))
		return -EINVAL;
	if (keyword) {
		node.kind = keyword->kind;
		node.is_remote = keyword->is_remote;
		node.field = field_of_key(keyword->key);
		return parse_comparison(p, &node, &word, false);
	}
	if (token__is_word(&word, AUTOBOUND) && p->lexer.token.kind != TOKEN_OP)
		return add_node(p, &(struct filter_node){.kind = NODE_NUMBER,
							 .op = OP_EQ,
							 .field = field,
							 .number = true});
	if (is_state_word(&word) && !(field && p->lexer.token.kind == TOKEN_OP))
		return reject_late_state(&word, &p->lexer.token);
	node.kind = node_kind_of(field);
	return parse_comparison(p, &node, &word, true);
}

/* ---- connectives ----------------------------------------------------------------------------- */

static int parse_or(struct parser *p);

static int parse_parentheses(struct parser *p)
{
	int inside;

	if (lexer__next(&p->lexer))
		return -EINVAL;
	inside = parse_or(p);
	if (inside < 0)
		return inside;
	if (p->lexer.token.kind != TOKEN_CLOSE)
		return reject_token(&p->lexer.token, "')'");
	return lexer__next(&p->lexer) ? -EINVAL : inside;
}

static int parse_factor(struct parser *p);

static int parse_not(struct parser *p)
{
	int inside;

	if (lexer__next(&p->lexer))
		return -EINVAL;
	inside = parse_factor(p);
	return inside < 0 ? inside : add_branch(p, NODE_NOT, inside, inside);
}

static int parse_factor(struct parser *p)
{
	const struct token *token = &p->lexer.token;
	int node;

	if (token->kind == TOKEN_WORD)
		return parse_predicate(p);
	if (token->kind != TOKEN_OPEN && token->kind != TOKEN_NOT)
		return reject_token(token, "a condition");
	if (p->depth == FILTER_DEPTH_MAX) {
		log_error("filter: more than %d parentheses and negations within each other",
			  FILTER_DEPTH_MAX);
		return -EINVAL;
	}
	p->depth++;
	node = token->kind == TOKEN_OPEN ? parse_parentheses(p) : parse_not(p);
	p->depth--;
	return node;
}

static bool begins_factor(const struct token *token)
{
	return token->kind == TOKEN_WORD || token->kind == TOKEN_OPEN || token->kind == TOKEN_NOT;
}

static int parse_and(struct parser *p)
{
	int left = parse_factor(p);

	while (left >= 0 && (p->lexer.token.kind == TOKEN_AND || begins_factor(&p->lexer.token))) {
		int right;

		if (p->lexer.token.kind == TOKEN_AND && lexer__next(&p->lexer))
			return -EINVAL;
		right = parse_factor(p);
		left = right < 0 ? right : add_branch(p, NODE_AND, left, right);
	}
	return left;
}

static int parse_or(struct parser *p)
{
	int left = parse_and(p);

	while (left >= 0 && p->lexer.token.kind == TOKEN_OR) {
		int right;

		if (lexer__next(&p->lexer))
			return -EINVAL;
		right = parse_and(p);
		left = right < 0 ? right : add_branch(p, NODE_OR, left, right);
	}
	return left;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/* "state X" and "exclude X" in front, as ss adds them up: the first "state" begins with none,
 * "exclude" with all. */
static int parse_states(struct parser *p)
{
	struct filter *filter = p->filter;

	while (is_state_word(&p->lexer.token)) {
		const struct lexer before = p->lexer;
		bool is_exclude = !token__is_word(&before.token, "state");
		uint32_t mask;

		if (lexer__next(&p->lexer))
			return -EINVAL;
		if (p->lexer.token.kind == TOKEN_OP && !is_exclude) {
			p->lexer = before; /* "state = X" is a condition like any other */
			return 0;
		}
		if (p->lexer.token.kind != TOKEN_WORD)
			return reject_token(&p->lexer.token, "a state");
		if (filter_value__states(&p->lexer.token, &mask) || lexer__next(&p->lexer))
			return -EINVAL;
		if (!filter->names_states)
			filter->states = is_exclude ? STATE_MASK_ALL : 0;
		filter->names_states = true;
		filter->states = is_exclude ? filter->states & ~mask : filter->states | mask;
	}
	return 0;
}

static int parse_filter(struct parser *p)
{
	int root;

	if (lexer__next(&p->lexer) || parse_states(p))
		return -EINVAL;
	if (p->lexer.token.kind == TOKEN_END)
		return 0;
	root = parse_or(p);
	if (root < 0)
		return root;
	if (p->lexer.token.kind != TOKEN_END) {
		log_error("filter: '%.*s' has no counterpart before it", word_len(&p->lexer.token),
			  word_text(&p->lexer.token));
		return -EINVAL;
	}
	p->filter->root = (uint16_t)root;
	p->filter->has_root = true;
	return 0;
}

static char *join_words(int argc, const char *const *argv)
{
	struct strbuf words = STRBUF_INIT;

	for (int i = 0; i < argc; i++) {
		strbuf__adds(&words, argv[i]);
		strbuf__addc(&words, ' ');
	}
	if (!words.failed)
		return words.data;
	strbuf__free(&words);
	return NULL;
}

int filter__parse(struct filter **out, int argc, const char *const *argv)
{
	struct parser parser = {0};
	int err = -ENOMEM;

	*out = NULL;
	if (argc <= 0)
		return 0;
	parser.filter = calloc(1, sizeof(*parser.filter));
	if (parser.filter)
		parser.filter->words = join_words(argc, argv);
	if (!parser.filter || !parser.filter->words) {
		log_error("filter: out of memory");
		goto err_free;
	}
	parser.filter->states = STATE_MASK_ALL;
	parser.lexer.at = parser.filter->words;
	err = parse_filter(&parser);
	if (err)
		goto err_free;
	*out = parser.filter;
	return 0;

err_free:
	filter__free(parser.filter);
	return err;
}

void filter__free(struct filter *filter)
{
	if (!filter)
		return;
	free(filter->words);
	free(filter);
}
