# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# Completion of tcpwatch for bash. Commands and options come from its own --help, so that nothing
# is listed twice; here are only the words that help text cannot give.

_tcpwatch_commands()
{
	tcpwatch --help 2>/dev/null | sed -n '/^[Cc]ommands:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'
}

_tcpwatch_options()
{
	tcpwatch ${1:+"$1"} --help 2>/dev/null | grep -oE '(^|[ ,])--?[A-Za-z][a-z-]*' | tr -d ' ,' | sort -u
}

_tcpwatch_fields()
{
	tcpwatch "$1" --fields help 2>/dev/null | awk '{ print $1 }'
}

_tcpwatch()
{
	local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} words command=
	[ "$COMP_CWORD" -gt 1 ] && command=${COMP_WORDS[1]}
	case $previous in
	-i | --interface) words=$(ls /sys/class/net) ;;
	-N | --netns) words="self all $(ls /run/netns 2>/dev/null)" ;;
	--container) words=$({ podman ps --format '{{.Names}}'; docker ps --format '{{.Names}}'; } 2>/dev/null) ;;
	--hook) words="auto xdp xdp-generic tc" ;;
	--textfile)
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
		return
		;;
	--color) words="auto always never" ;;
	--by) words="server network server,network" ;;
	--sort | --fields) words=$(_tcpwatch_fields "$command") ;;
	state | exclude)
		words="established syn-sent syn-recv fin-wait-1 fin-wait-2 time-wait closed close-wait
			last-ack listening closing all connected synchronized bucket big"
		;;
	*)
		if [ -z "$command" ]; then
			words="$(_tcpwatch_commands) $(_tcpwatch_options)"
		elif [[ $word == -* ]]; then
			words=$(_tcpwatch_options "$command")
		else
			words="state exclude sport dport src dst and or not"
		fi
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}

complete -F _tcpwatch tcpwatch
