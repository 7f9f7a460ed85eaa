/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The words of a filter. Operators end a word, so that "dport=:443" and "dport = :443" are the
 * same; quotes keep a value together: comm = "tmux: server".
 */
#include "filter_tree.h"

#include <errno.h>

#include "user/util/log.h"

#define BLANKS	" \t\r\n\v\f"
#define SPECIAL "()!<>=&|"

static const struct symbol {
	const char *text;
	enum token_kind kind;
	enum filter_op op;
} symbols[] = {
	/* The longer of two that begin alike stands first. */
	{"==", TOKEN_OP, OP_EQ}, {"=", TOKEN_OP, OP_EQ},  {"!=", TOKEN_OP, OP_NE},
	{"!", TOKEN_NOT, 0},	 {"<=", TOKEN_OP, OP_LE}, {"<", TOKEN_OP, OP_LT},
	{">=", TOKEN_OP, OP_GE}, {">", TOKEN_OP, OP_GT},  {"&&", TOKEN_AND, 0},
	{"&", TOKEN_AND, 0},	 {"||", TOKEN_OR, 0},	  {"|", TOKEN_OR, 0},
	{"(", TOKEN_OPEN, 0},	 {")", TOKEN_CLOSE, 0},
};

static const struct symbol keywords[] = {
	{"and", TOKEN_AND, 0},	 {"or", TOKEN_OR, 0},	  {"not", TOKEN_NOT, 0},
	{"eq", TOKEN_OP, OP_EQ}, {"ne", TOKEN_OP, OP_NE}, {"neq", TOKEN_OP, OP_NE},
	{"lt", TOKEN_OP, OP_LT}, {"le", TOKEN_OP, OP_LE}, {"leq", TOKEN_OP, OP_LE},
	{"gt", TOKEN_OP, OP_GT}, {"ge", TOKEN_OP, OP_GE}, {"geq", TOKEN_OP, OP_GE},
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

bool token__is_word(const struct token *token, const char *word)
{
	return token->kind == TOKEN_WORD && !token->is_quoted && strlen(word) == token->len &&
	       !memcmp(token->text, word, token->len);
}

static bool take_symbol(struct lexer *lexer)
{
	for (size_t i = 0; i < COUNT_OF(symbols); i++) {
		size_t len = strlen(symbols[i].text);

		if (strncmp(lexer->at, symbols[i].text, len))
			continue;
		lexer->token = (struct token){.kind = symbols[i].kind,
					      .op = symbols[i].op,
					      .text = lexer->at,
					      .len = len};
		lexer->at += len;
		return true;
	}
	return false;
}

static int take_quoted(struct lexer *lexer)
{
	const char quote = *lexer->at, *end = strchr(lexer->at + 1, quote);

	if (!end) {
		log_error("filter: the quote in '%s' has no end", lexer->at);
		return -EINVAL;
	}
	lexer->token = (struct token){.kind = TOKEN_WORD,
				      .is_quoted = true,
				      .text = lexer->at + 1,
				      .len = (size_t)(end - lexer->at - 1)};
	lexer->at = end + 1;
	return 0;
}

static void take_word(struct lexer *lexer)
{
	struct token *token = &lexer->token;

	*token = (struct token){.kind = TOKEN_WORD, .text = lexer->at};
	token->len = strcspn(lexer->at, BLANKS SPECIAL);
	lexer->at += token->len;
	for (size_t i = 0; i < COUNT_OF(keywords); i++) {
		if (token__is_word(token, keywords[i].text)) {
			token->op = keywords[i].op;
			token->kind = keywords[i].kind;
			return;
		}
	}
}

int lexer__next(struct lexer *lexer)
{
	lexer->at += strspn(lexer->at, BLANKS);
	if (!*lexer->at) {
		lexer->token = (struct token){.kind = TOKEN_END, .text = lexer->at};
		return 0;
	}
	if (*lexer->at == '"' || *lexer->at == '\'')
		return take_quoted(lexer);
	if (!take_symbol(lexer))
		take_word(lexer);
	return 0;
}
