/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The getters of a session's container: what its runtime calls it, and its pod.
 */
#include <string.h>

#include "session_values.h"

/* A text of the container, "": unknown. */
static void set_of_container(struct value *out, const char *text)
{
	value__set_string(out, *text ? text : NULL);
}

SESSION_VALUE(container)
{
	const struct session *s = row;
	const struct container *c = s->container;

	if (!c || !c->id[0])
		value__set_none(out);
	else if (c->name[0])
		value__set_string(out, c->name);
	else
		value__set_text(out, c->id, strnlen(c->id, CONTAINER_SHORT_ID));
}

SESSION_VALUE(container_id)
{
	const struct session *s = row;

	set_of_container(out, s->container ? s->container->id : "");
}

SESSION_VALUE(runtime)
{
	const struct session *s = row;

	value__set_string(out,
			  s->container ? container_runtime__name(s->container->runtime) : NULL);
}

SESSION_VALUE(pod)
{
	const struct session *s = row;

	set_of_container(out, s->container ? s->container->pod : "");
}

SESSION_VALUE(pod_namespace)
{
	const struct session *s = row;

	set_of_container(out, s->container ? s->container->pod_namespace : "");
}

SESSION_VALUE(pod_id)
{
	const struct session *s = row;

	set_of_container(out, s->container ? s->container->pod_id : "");
}
