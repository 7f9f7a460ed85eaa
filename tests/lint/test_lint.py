# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The lint checks must be able to fail: each sample here is a tree with one fault, or with none."""
import re
import subprocess
import sys
from pathlib import Path

import pytest

LINT = Path(__file__).parent
SPDX = "/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */\n"
FUNCTION = "static int f(int a)\n{\n%s}\n"

SAMPLES = {
    # check, files of the tree, what the check says (None: nothing)
    "util includes itself": ("layers", {"user/util/a.c": '#include "b.h"\n', "user/util/b.h": ""}, None),
    "cmd includes all": ("layers", {"user/cmd/a.c": '#include "user/tap/t.h"\n#include "x.skel.h"\n',
                                    "user/tap/t.h": ""}, None),
    "model includes ui": ("layers", {"user/model/a.c": '#include "user/ui/b.h"\n', "user/ui/b.h": ""},
                          "user/model/a.c:1: user/model may not include user/ui"),
    "a path that climbs": ("layers", {"user/tap/a.h": '\n#include "../model/b.h"\n', "user/model/b.h": ""},
                           "user/tap/a.h:2: user/tap may not include user/model"),
    "shared includes libc": ("layers", {"bpf/shared/a.h": "#include <string.h>\n"}, "for both compilers"),
    "shared includes bpf": ("layers", {"bpf/shared/a.h": '#include "bpf/b.h"\n', "bpf/b.h": ""},
                            "bpf/shared may not include bpf"),
    "model knows the terminal": ("layers", {"user/model/a.c": "#include <ncursesw/curses.h>\n"},
                                 "only user/ui"),
    "output uses a skeleton": ("layers", {"user/output/a.c": '#include "wire.skel.h"\n'}, "skeletons"),
    "ui includes one header of source": ("layers", {"user/ui/a.c": '#include "user/source/live.h"\n',
                                                    "user/source/live.h": ""}, None),
    "ui includes another": ("layers", {"user/ui/a.c": '#include "user/source/x.h"\n',
                                       "user/source/x.h": ""}, "may not include user/source"),
    "no such header": ("layers", {"user/cmd/a.c": '#include "gone.h"\n'}, 'no header "gone.h"'),

    "a small function": ("sizes", {"user/a.c": FUNCTION % ("\treturn a;\n" * 77)}, None),
    "a long function": ("sizes", {"user/a.c": FUNCTION % ("\treturn a;\n" * 78)},
                        "user/a.c:1: f() has 81 lines"),
    "a long BPF program": ("sizes", {"bpf/a.bpf.c": 'SEC("tp_btf/x")\nint BPF_PROG(g, int a)\n{\n' +
                                     "\treturn a;\n" * 80 + "}\n"}, "g() has 84 lines"),
    "a long table": ("sizes", {"user/a.c": "static const int t[] = {\n" + "1,\n" * 90 + "};\n"}, None),
    "four blocks": ("sizes", {"user/a.c": FUNCTION % ("if (a) {" * 4 + "}" * 4 + "\n")}, None),
    "five blocks": ("sizes", {"user/a.c": FUNCTION % ("if (a) {" * 5 + "}" * 5 + "\n")},
                    "f() nests 5 blocks deep"),
    "braces that do not count": ("sizes", {"user/a.c": FUNCTION % '/* {{{{{ */ a = "{{{{{{";\n'}, None),
    "a long file": ("sizes", {"user/a.c": "\n" * 501}, "user/a.c: 501 lines"),

    "a clean file": ("text", {"user/a.c": SPDX + "int a; /* exit(1) is for main.c */\n"}, None),
    "no licence": ("text", {"user/a.c": "int a;\n"}, "user/a.c:1: the first line"),
    "a script without licence": ("text", {"tests/do": "#!/bin/sh\ntrue\n"}, "tests/do:1: the first line"),
    "white space": ("text", {"README.md": "text \n"}, "README.md:1: white space"),
    "no newline": ("text", {"README.md": "text"}, "README.md: no newline"),
    "exit": ("text", {"user/cmd/a.c": SPDX + "void f(void) { exit(1); }\n"}, "user/cmd/a.c:2: only main.c"),
    "exit in main.c": ("text", {"user/main.c": SPDX + "void f(void) { exit(1); }\n"}, None),
    "stderr": ("text", {"user/a.c": SPDX + "void f(void) { fprintf(stderr, 0); }\n"}, "only log.c"),
    "a note to self": ("text", {"user/a.c": SPDX + "/* TODO */\n"}, "user/a.c:2: do it"),
    "a sleeping test": ("text", {"tests/e2e/test_a.py": SPDX + "time.sleep(1)\n"}, "never sleep"),
}


@pytest.mark.parametrize("name", SAMPLES)
def test_check(name, tmp_path):
    check, tree, expected = SAMPLES[name]
    for path, text in tree.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    done = subprocess.run([sys.executable, LINT / check, tmp_path], capture_output=True, text=True,
                          check=False)
    if expected:
        assert expected in done.stdout and done.returncode == 1
    else:
        assert (done.stdout.strip(), done.returncode) == ("", 0)


def test_a_fresh_clone_has_what_headers_include(tmp_path):
    """`make lint` compiles each header alone: the skeletons that they name are made first."""
    root = LINT.parents[1]
    said = subprocess.run(["make", "-n", "lint", f"BUILD={tmp_path}/build"], cwd=root, check=True,
                          capture_output=True, text=True).stdout
    named = {name for path in root.glob("tests/*/*.h")
             for name in re.findall(r'#include "(\w+\.skel\.h)"', path.read_text(encoding="utf-8"))}
    assert named
    for name in named:
        assert f"> {tmp_path}/build/skel/{name}" in said
