# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
The npm packages of package.json, in the versions of its lock file, in build/npm. Only where there is no node, or no
way to the registry, the tests that need them are skipped.
"""
import functools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import sources

HERE = Path(__file__).parent
PLACE = sources.ROOT / "build/npm"
LISTS = ("package.json", "package-lock.json")
UNREACHABLE = re.compile(r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT)\b")
SECONDS = 300


def _is_installed():
    return (PLACE / "node_modules/.package-lock.json").exists() and all(
        (PLACE / name).exists() and (PLACE / name).read_bytes() == (HERE / name).read_bytes() for name in LISTS)


@functools.cache
def _install():
    """Why the packages cannot be had, or nothing."""
    for program in ("node", "npm"):
        if not shutil.which(program):
            return f"{program} is not installed"
    if _is_installed():
        return ""
    PLACE.mkdir(parents=True, exist_ok=True)
    for name in LISTS:
        shutil.copy(HERE / name, PLACE)
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"], cwd=PLACE,
                          capture_output=True, text=True, check=False, timeout=SECONDS)
    if done.returncode == 0:
        return ""
    (PLACE / LISTS[0]).unlink()  # so that the next run tries again
    unreachable = UNREACHABLE.search(done.stderr)
    assert unreachable, f"npm ci failed:\n{done.stderr}"
    return f"the npm registry cannot be reached ({unreachable[1]})"


def _run(argv, **options):
    missing = _install()
    if missing:
        pytest.skip(missing)
    return subprocess.run(argv, cwd=PLACE, capture_output=True, text=True, check=False, timeout=SECONDS, **options)


def node(script, stdin):
    """A script of this directory, with the packages within its reach."""
    missing = _install()
    if not missing:
        shutil.copy(HERE / script, PLACE)
    return _run(["node", PLACE / script], input=stdin)


def type_errors(source):
    """What the TypeScript compiler says against a program, line by line."""
    PLACE.mkdir(parents=True, exist_ok=True)
    (PLACE / "checked.ts").write_text(source)
    done = _run(["node", "node_modules/typescript/bin/tsc", "--noEmit", "--strict", "--skipLibCheck", "--target", "es2022",
                 "--module", "nodenext", "--moduleResolution", "nodenext", "--typeRoots", "none", "checked.ts"])
    return [line for line in done.stdout.splitlines() if line.strip()]
