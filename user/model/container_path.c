/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading the path of a cgroup, component by component. One table says how each runtime names the
 * cgroup of a container, by both of the managers that runtimes know (cgroupfs and systemd).
 */
#include "container.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define ID_DIGITS 64 /* of docker, containerd, cri-o and podman */
/* A pod's UID is one of RFC 4122; a static pod's is the MD5 of its manifest. */
#define UUID_LEN 36
#define MD5_LEN	 32

const char *container_runtime__name(enum container_runtime runtime)
{
	static const char *const names[] = {
#define X(id, name) [RUNTIME_##id] = name,
		CONTAINER_RUNTIMES(X)
#undef X
	};

	return runtime < RUNTIME_COUNT ? names[runtime] : NULL;
}

void container__copy(char *member, size_t size, const char *text, size_t len)
{
	if (len >= size)
		len = size - 1;
	memcpy(member, text, len);
	member[len] = '\0';
}

/* A component of the path, or a part of one. */
struct piece {
	const char *text;
	size_t len;
};

static bool piece__is(struct piece piece, const char *text)
{
	return piece.len == strlen(text) && !memcmp(piece.text, text, piece.len);
}

static bool cut_prefix(struct piece *piece, const char *prefix)
{
	size_t len = strlen(prefix);

	if (piece->len < len || memcmp(piece->text, prefix, len))
		return false;
	piece->text += len;
	piece->len -= len;
	return true;
}

static bool cut_suffix(struct piece *piece, const char *suffix)
{
	size_t len = strlen(suffix);

	if (piece->len < len || memcmp(piece->text + piece->len - len, suffix, len))
		return false;
	piece->len -= len;
	return true;
}

static bool is_hex(struct piece piece, size_t len)
{
	if (piece.len != len)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isxdigit((unsigned char)piece.text[i]))
			return false;
	return true;
}

/* ---- containers ------------------------------------------------------------------------------ */

enum id_kind {
	ID_HEX,	    /* 64 digits */
	ID_NAME,    /* anything */
	ID_ESCAPED, /* as systemd.unit(5) escapes it: "\x2d" is "-" */
};

/* "libpod-<id>.scope": one rule for each form of a component. The first that fits is taken. */
static const struct rule {
	const char *prefix, *suffix;
	enum id_kind kind;
	enum container_runtime runtime;
} rules[] = {
	{"docker-", ".scope", ID_HEX, RUNTIME_DOCKER},
	{"cri-containerd-", ".scope", ID_HEX, RUNTIME_CONTAINERD},
	{"nerdctl-", ".scope", ID_HEX, RUNTIME_CONTAINERD},
	{"crio-", ".scope", ID_HEX, RUNTIME_CRIO},
	{"crio-", "", ID_HEX, RUNTIME_CRIO},
	{"libpod-payload-", "", ID_HEX, RUNTIME_PODMAN},
	{"libpod-", ".scope", ID_HEX, RUNTIME_PODMAN},
	{"libpod-", "", ID_HEX, RUNTIME_PODMAN},
	{"systemd-nspawn@", ".service", ID_ESCAPED, RUNTIME_NSPAWN},
	{"machine-", ".scope", ID_ESCAPED, RUNTIME_NSPAWN},
	{"lxc.payload.", "", ID_NAME, RUNTIME_LXC},
	/* A slice that was given to containerd without its systemd manager:
	 * "kubepods-burstable-pod<uid>.slice:cri-containerd:<id>" */
	{"cri-containerd:", "", ID_HEX, RUNTIME_CONTAINERD},
	{"crio:", "", ID_HEX, RUNTIME_CRIO},
	/* cgroupfs: the parent tells the runtime, or a state file will. */
	{"", "", ID_HEX, RUNTIME_UNKNOWN},
};

/* What a component alone does not say, the one above it may. */
static const struct parent {
	const char *name;
	enum id_kind kind;
	enum container_runtime runtime;
} parents[] = {
	{"docker", ID_HEX, RUNTIME_DOCKER},
	{"lxc", ID_NAME, RUNTIME_LXC},
	{"lxc.payload", ID_NAME, RUNTIME_LXC},
};

/* libvirt's machines have scopes like those of systemd-nspawn: "machine-qemu\x2d1\x2dvm.scope". */
static bool is_virtual_machine(struct piece name)
{
	return cut_prefix(&name, "qemu\\x2d") || cut_prefix(&name, "lxc\\x2d");
}

static bool is_id(struct piece piece, enum id_kind kind)
{
	if (kind == ID_HEX)
		return is_hex(piece, ID_DIGITS);
	return piece.len && !(kind == ID_ESCAPED && is_virtual_machine(piece));
}

static int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

static bool is_escape(struct piece piece, size_t at)
{
	return piece.len - at >= 4 && piece.text[at] == '\\' && piece.text[at + 1] == 'x' &&
	       is_hex((struct piece){piece.text + at + 2, 2}, 2);
}

static void copy_unescaped(char *member, size_t size, struct piece piece)
{
	size_t n = 0;

	for (size_t i = 0; i < piece.len && n + 1 < size; i++) {
		if (is_escape(piece, i)) {
			member[n++] = (char)(hex_digit(piece.text[i + 2]) << 4 |
					     hex_digit(piece.text[i + 3]));
			i += 3;
		} else {
			member[n++] = piece.text[i];
		}
	}
	member[n] = '\0';
}

static void set_id(struct container *out, struct piece id, enum id_kind kind,
		   enum container_runtime runtime)
{
	out->runtime = runtime;
	if (kind == ID_ESCAPED)
		copy_unescaped(out->id, sizeof(out->id), id);
	else
		container__copy(out->id, sizeof(out->id), id.text, id.len);
	if (kind != ID_HEX)
		container__copy(out->name, sizeof(out->name), out->id, strlen(out->id));
}

static bool take_by_parent(struct container *out, struct piece above, struct piece piece)
{
	for (size_t i = 0; i < sizeof(parents) / sizeof(parents[0]); i++) {
		if (!piece__is(above, parents[i].name) || !is_id(piece, parents[i].kind))
			continue;
		set_id(out, piece, parents[i].kind, parents[i].runtime);
		return true;
	}
	return false;
}

static bool take_by_form(struct container *out, struct piece piece)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		struct piece id = piece;

		if (!cut_prefix(&id, rules[i].prefix) || !cut_suffix(&id, rules[i].suffix) ||
		    !is_id(id, rules[i].kind))
			continue;
		set_id(out, id, rules[i].kind, rules[i].runtime);
		return true;
	}
	return false;
}

/* ---- pods and users -------------------------------------------------------------------------- */

static bool is_uid_char(char c)
{
	return isxdigit((unsigned char)c) || c == '-' || c == '_';
}

/* systemd's units have "_" where the UID has "-", which would be another level of slices. */
static bool take_pod_uid(struct container *out, struct piece uid)
{
	if (uid.len != UUID_LEN && uid.len != MD5_LEN)
		return false;
	for (size_t i = 0; i < uid.len; i++)
		if (!is_uid_char(uid.text[i]))
			return false;
	container__copy(out->pod_id, sizeof(out->pod_id), uid.text, uid.len);
	for (char *c = out->pod_id; *c; c++)
		if (*c == '_')
			*c = '-';
	return true;
}

/* "pod<uid>", "kubepods-burstable-pod<uid>.slice"; with what the kubelet's --cgroup-root puts in
 * front, as kind does: "kubelet-kubepods-pod<uid>.slice" */
static bool take_kubernetes_pod(struct container *out, struct piece piece)
{
	const char *last = NULL;

	(void)cut_suffix(&piece, ".slice");
	for (size_t i = 0; i + 4 < piece.len; i++)
		if (!memcmp(piece.text + i, "-pod", 4))
			last = piece.text + i + 1;
	if (last) {
		piece.len -= (size_t)(last - piece.text);
		piece.text = last;
	}
	return cut_prefix(&piece, "pod") && take_pod_uid(out, piece);
}

/* "machine-libpod_pod_<id>.slice", "user-libpod_pod_<id>.slice"; by cgroupfs "<id>" above
 * "libpod-<id>" */
static bool take_podman_pod(struct container *out, struct piece piece)
{
	if (!cut_suffix(&piece, ".slice"))
		return false;
	(void)(cut_prefix(&piece, "machine-") || cut_prefix(&piece, "user-"));
	if (!cut_prefix(&piece, "libpod_pod_") || !is_hex(piece, ID_DIGITS))
		return false;
	container__copy(out->pod_id, sizeof(out->pod_id), piece.text, piece.len);
	return true;
}

static void take_user(struct container *out, struct piece piece)
{
	if (cut_prefix(&piece, "user-") && cut_suffix(&piece, ".slice") && piece.len &&
	    isdigit((unsigned char)*piece.text))
		out->uid = (uint32_t)strtoul(piece.text, NULL, 10);
}

/* ---- the path -------------------------------------------------------------------------------- */

/* The next component from *@at on; of none the length is 0. */
static struct piece next_piece(const char **at)
{
	struct piece piece = {.text = *at + strspn(*at, "/")};

	piece.len = strcspn(piece.text, "/");
	*at = piece.text + piece.len;
	return piece;
}

/* "SLICE:cri-containerd:ID" is a slice and what is in it. */
static bool take_component(struct container *out, struct piece above, struct piece piece)
{
	const char *colon = memchr(piece.text, ':', piece.len);

	if (take_by_parent(out, above, piece) || take_by_form(out, piece))
		return true;
	if (colon) {
		struct piece slice = {piece.text, (size_t)(colon - piece.text)};
		struct piece rest = {colon + 1, piece.len - slice.len - 1};

		(void)take_kubernetes_pod(out, slice);
		return take_by_form(out, rest);
	}
	if (!take_kubernetes_pod(out, piece) && !take_podman_pod(out, piece))
		take_user(out, piece);
	return false;
}

/* "/libpod_parent/<pod>/libpod-<id>": what looked like a container is a pod. */
static void look_into_podman_pod(struct container *out, struct piece above, struct piece pod,
				 const char *at)
{
	struct piece inner = next_piece(&at);

	if (!piece__is(above, "libpod_parent") || !cut_prefix(&inner, "libpod-") ||
	    !is_hex(inner, ID_DIGITS))
		return;
	container__copy(out->pod_id, sizeof(out->pod_id), pod.text, pod.len);
	set_id(out, inner, ID_HEX, RUNTIME_PODMAN);
}

/* systemd-nspawn itself is beside its "payload", on the host's network. */
static bool is_supervisor(const struct container *container, const char *at)
{
	return container->runtime == RUNTIME_NSPAWN && piece__is(next_piece(&at), "supervisor");
}

bool container__parse_path(const char *path, struct container *out)
{
	struct piece above = {"", 0}, piece;
	const char *at = path;

	*out = (struct container){.runtime = RUNTIME_UNKNOWN};
	for (piece = next_piece(&at); piece.len; piece = next_piece(&at)) {
		if (take_component(out, above, piece)) {
			look_into_podman_pod(out, above, piece, at);
			return !is_supervisor(out, at);
		}
		above = piece;
	}
	return false;
}
