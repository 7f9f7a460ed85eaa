# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Drivers of the end-to-end tests: namespaces, raw peers, `ss`, and tcpwatch itself. No tests here."""
