# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the lint checks share: the project's files, and C code with comments and literals blanked."""
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SKIPPED_DIRS = {".git", "build", "__pycache__", ".pytest_cache", "seeds", "captures", "samples"}


def files(root, *tops):
    """The files below the directories (or all of the project), as paths relative to root."""
    for top in tops or (".",):
        for path in sorted((root / top).rglob("*")):
            relative = path.relative_to(root)
            if path.is_file() and not path.is_symlink() and not SKIPPED_DIRS & set(relative.parts):
                yield relative


def c_files(root, *tops):
    return (path for path in files(root, *tops) if path.suffix in (".c", ".h"))


C_TOKEN = re.compile(
    r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""", re.DOTALL | re.VERBOSE)


def blank(match):
    return re.sub(r"[^\n]", " ", match.group(0))


def code_of(text):
    """C with comments and literals replaced by spaces: lines and columns stay where they were."""
    return C_TOKEN.sub(blank, text)


def statements_of(text):
    """Like code_of(), also without preprocessor lines and without the branches after #else."""
    lines, skipping, continued = [], [], False
    for line in code_of(text).split("\n"):
        directive = re.match(r"\s*#\s*(\w*)", line)
        if directive and not continued:
            word = directive.group(1)
            if word.startswith("if"):
                skipping.append(False)
            elif word.startswith("el") and skipping:
                skipping[-1] = True
            elif word == "endif" and skipping:
                skipping.pop()
        in_directive = continued or bool(directive)
        continued = in_directive and line.rstrip().endswith("\\")
        lines.append("" if in_directive or any(skipping) else line)
    return "\n".join(lines)
