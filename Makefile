# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# tcpwatch: build, test, install. One makefile; sources are found by wildcard, header dependencies
# by the compiler. Lines "target: ## text" are what `make help` prints.

MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
.DEFAULT_GOAL := all

BUILD  ?= build
PREFIX ?= /usr/local
CC      = gcc
CLANG  ?= clang
PYTHON ?= /usr/bin/python3
FUZZ_SECONDS ?= 60

# --- tools: all evaluated late, so that one run of make can install them and then use them -------

ARCH := $(shell uname -m | sed -e 's/x86_64/x86/' -e 's/aarch64/arm64/' -e 's/ppc64le/powerpc/' \
	-e 's/riscv64/riscv/' -e 's/s390x/s390/')

# Ubuntu's bpftool on PATH is a wrapper that wants the tools of the running kernel; any will do.
BPFTOOL ?= $(shell for t in bpftool /usr/sbin/bpftool $$(ls -r /usr/lib/linux-tools/*/bpftool \
	2>/dev/null); do $$t version >/dev/null 2>&1 && echo $$t && break; done)

LIBRARIES      := libbpf libelf zlib ncursesw libmnl libmicrohttpd jansson sqlite3
TEST_LIBRARIES := cmocka libpcap

# --- flags ---------------------------------------------------------------------------------------

CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes $(if $(WERROR),-Werror)
INCLUDES := -I. -I$(BUILD)/skel
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARNINGS) $(INCLUDES) $(CFLAGS) -MMD -MP
LDLIBS      = $(shell pkg-config --libs $(LIBRARIES)) -lpthread
TEST_LDLIBS = $(shell pkg-config --libs $(TEST_LIBRARIES)) $(LDLIBS)
BPF_CFLAGS  = -target bpf -mcpu=v3 -D__TARGET_ARCH_$(ARCH) -O2 -g -Wall -Wextra \
	-Wno-unused-parameter $(if $(WERROR),-Werror) $(INCLUDES) \
	-I/usr/include/$(shell $(CC) -print-multiarch) -MMD -MP
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

# --- what there is to build ----------------------------------------------------------------------

BPF_SRC   := $(wildcard bpf/*.bpf.c)
SKELETONS := $(BPF_SRC:bpf/%.bpf.c=$(BUILD)/skel/%.skel.h)
USER_SRC  := $(sort $(shell find user -name '*.c'))
LIB_SRC   := $(filter-out user/main.c,$(USER_SRC))
LIB_OBJ   := $(LIB_SRC:%.c=$(BUILD)/%.o)
LIB       := $(BUILD)/libtcpwatch.a
PROGRAM   := $(if $(wildcard user/main.c),$(BUILD)/tcpwatch)

# A directory of tests: each test_*.c is a program, the other .c files are linked into all of them.
tests_in   = $(patsubst %.c,$(BUILD)/%,$(wildcard tests/$(1)/test_*.c))
support_of = $(patsubst %.c,$(BUILD)/%.o,$(filter-out %.bpf.c tests/$(1)/test_%,$(wildcard tests/$(1)/*.c)))
UNIT_TESTS := $(call tests_in,unit)
BPF_TESTS  := $(call tests_in,bpf)
ASAN_TESTS := $(UNIT_TESTS:$(BUILD)/%=$(BUILD)/asan/%)
FUZZERS    := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*.c))

# Extra BPF objects of the tests, with a skeleton each.
TEST_BPF_SRC   := $(wildcard tests/*/*.bpf.c)
TEST_SKELETONS := $(patsubst %.bpf.c,$(BUILD)/skel/%.skel.h,$(notdir $(TEST_BPF_SRC)))

# Benchmarks: each .c file with a main is a program.
BENCHES := $(patsubst %.c,$(BUILD)/%,$(shell grep -l '^int main\>' tests/bench/*.c 2>/dev/null))

# Sources that include a skeleton, or a header that does.
SKEL_HEADERS := $(notdir $(shell grep -rl --include='*.h' '\.skel\.h"' user))
USES_SKEL    := $(shell grep -l -e '\.skel\.h"' $(SKEL_HEADERS:%=-e '%"') $(USER_SRC) /dev/null)
USES_VERSION := $(shell grep -l TCPWATCH_VERSION $(USER_SRC) /dev/null)

# --- build ---------------------------------------------------------------------------------------

.PHONY: all
all: $(or $(PROGRAM),$(LIB)) $(SKELETONS) ## Build tcpwatch into build/ (the default)

define link
@echo "  LINK  $@"
@$(CC) $(CFLAGS) $(LDFLAGS) $(LINK_SANITIZE) -o $@ $^ $(1)
endef

$(BUILD)/tcpwatch: $(BUILD)/user/main.o $(LIB)
	$(call link,$(LDLIBS))

# The same with sanitizers, for a test.
ASAN_PROGRAM := $(PROGRAM:$(BUILD)/%=$(BUILD)/asan/%)
$(ASAN_PROGRAM): LINK_SANITIZE = $(SANITIZE)
$(ASAN_PROGRAM): $(BUILD)/asan/user/main.o $(BUILD)/asan/libtcpwatch.a
	$(call link,$(LDLIBS))

# Made anew each time, so that the objects of deleted sources do not stay behind.
define archive
@echo "  AR    $@"
@rm -f $@ && ar rcs $@ $^
endef

$(LIB): $(LIB_OBJ)
	$(archive)

$(BUILD)/asan/libtcpwatch.a: $(LIB_SRC:%.c=$(BUILD)/asan/%.o)
	$(archive)

$(BUILD)/%.o: %.c | $(BUILD)/.tools
	@echo "  CC    $@"
	@mkdir -p $(@D)
	@$(CC) $(ALL_CFLAGS) $(VERSION_FLAG) -c -o $@ $<

$(BUILD)/asan/%.o: %.c | $(BUILD)/.tools
	@echo "  CC    $@"
	@mkdir -p $(@D)
	@$(CC) $(ALL_CFLAGS) $(SANITIZE) $(VERSION_FLAG) -c -o $@ $<

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c | $(BUILD)/.tools
	$(compile_bpf)

# The skeleton carries a copy without the compiler's debug sections (gen object drops them).
define compile_bpf
@echo "  BPF   $@"
@mkdir -p $(@D)
@$(CLANG) $(BPF_CFLAGS) -MT $@ -MF $(@:.o=.d) -c -o $(@:.o=.full.o) $<
@$(BPFTOOL) gen object $@ $(@:.o=.full.o)
endef

define skeleton
@echo "  SKEL  $@"
@mkdir -p $(@D)
@$(BPFTOOL) gen skeleton $< name $*_bpf > $@
endef

$(BUILD)/skel/%.skel.h: $(BUILD)/bpf/%.bpf.o
	$(skeleton)

define test_bpf_rules
$(BUILD)/$(1:.c=.o): $(1) | $(BUILD)/.tools
	$$(compile_bpf)
$(BUILD)/skel/$(notdir $(1:.bpf.c=)).skel.h: $(BUILD)/skel/%.skel.h: $(BUILD)/$(1:.c=.o)
	$$(skeleton)
endef
$(foreach s,$(TEST_BPF_SRC),$(eval $(call test_bpf_rules,$(s))))

# A first compilation needs the generated headers; later the .d files know which.
object_of = $(patsubst %.c,$(BUILD)/%.o,$(1)) $(patsubst %.c,$(BUILD)/asan/%.o,$(1))
$(call object_of,$(USES_SKEL)): | $(SKELETONS)
$(call object_of,$(filter-out %.bpf.c,$(wildcard tests/bpf/*.c tests/bench/*.c))): \
	| $(SKELETONS) $(TEST_SKELETONS)

# The version: VERSION, and in a checkout what git says. Only the sources that name it depend on it.
$(call object_of,$(USES_VERSION)): VERSION_FLAG = -include $(BUILD)/version.h
$(call object_of,$(USES_VERSION)): | $(BUILD)/version.h
$(BUILD)/version.h: packaging/version FORCE
	@mkdir -p $(@D)
	@echo "#define TCPWATCH_VERSION \"$$(packaging/version)\"" > $@.new
	@if cmp -s $@ $@.new; then rm $@.new; else mv $@.new $@; fi

.PHONY: FORCE
FORCE:

$(BUILD)/.tools: packaging/check-tools packaging/packages
	@mkdir -p $(@D)
	@BPFTOOL="$(BPFTOOL)" CC="$(CC)" CLANG="$(CLANG)" packaging/check-tools $(LIBRARIES)
	@touch $@

# --- test programs -------------------------------------------------------------------------------

link_test = $(call link,$(TEST_LDLIBS))

$(UNIT_TESTS): %: %.o $(call support_of,unit) $(LIB)
	$(link_test)

$(BPF_TESTS): %: %.o $(call support_of,bpf) $(LIB)
	$(link_test)

$(BENCHES): %: %.o $(filter-out $(BENCHES:%=%.o),$(call support_of,bench)) $(LIB)
	$(link_test)

$(ASAN_TESTS): LINK_SANITIZE = $(SANITIZE)
$(ASAN_TESTS): %: %.o $(patsubst $(BUILD)/%,$(BUILD)/asan/%,$(call support_of,unit)) \
		$(BUILD)/asan/libtcpwatch.a
	$(link_test)

$(BUILD)/fuzz/%: tests/fuzz/%.c | $(BUILD)/.tools
	@echo "  FUZZ  $@"
	@mkdir -p $(@D)
	@$(CLANG) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -MMD -MP -MF $@.d \
		-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -o $@ $<

# --- for people ----------------------------------------------------------------------------------

# Installing packages comes first and changes what the rest of the makefile sees: hence a second
# make. It uses every processor unless told otherwise.
jobs = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

.PHONY: top test unit bench lint fmt docs fuzz install uninstall clean help

top: ## Install what is missing, build, and open the live table on this host (needs root)
	@packaging/install-packages build run
	@$(MAKE) $(jobs) all
	@$(BUILD)/tcpwatch top $(ARGS)

test: ## Install what is missing, build, and run every test (needs root)
	@packaging/install-packages build run test
	@$(MAKE) $(jobs) built-tests
	@tests/run --build $(BUILD) --fuzz-seconds $(FUZZ_SECONDS)

unit: all $(UNIT_TESTS) ## Build and run only the unit tests: seconds, no root
	@tests/run --build $(BUILD) unit

bench: ## Measure each budget beside its comparator and write bench.json (needs root)
	@packaging/install-packages build run test
	@$(MAKE) $(jobs) all built-bench
	@tests/bench/run

lint: ## Check format, layers, sizes, headers, warnings and scripts
	@packaging/install-packages build lint
	@$(MAKE) $(jobs) built-lint
	@tests/lint/run --build $(BUILD)

fmt: ## Format the C sources in place
	clang-format -i $(shell find bpf user tests vmlinux -name '*.[ch]')

docs: all ## Write what is generated of docs/ anew
	@$(BUILD)/tcpwatch export --describe > docs/METRICS.md.new && mv docs/METRICS.md.new docs/METRICS.md

fuzz: $(FUZZERS) ## Run only the fuzzers, each for FUZZ_SECONDS (60)
	@tests/run --build $(BUILD) --fuzz-seconds $(FUZZ_SECONDS) fuzz

# For Grafana and Prometheus. The alerts name their runbook where it gets installed.
share_dir  = $(DESTDIR)$(PREFIX)/share/tcpwatch
runbook    = $(PREFIX)/share/doc/tcpwatch/RUNBOOK.md

# DESTDIR is for packagers: files go to DESTDIR/PREFIX.
DOC_FILES  = README.md CHANGELOG.md LICENSE $(wildcard docs/*.md LICENSES/*)
doc_dir    = $(DESTDIR)$(PREFIX)/share/doc/tcpwatch
installed  = $(DESTDIR)$(PREFIX)/sbin/tcpwatch $(DESTDIR)$(PREFIX)/share/man/man8/tcpwatch.8 \
	$(DESTDIR)$(PREFIX)/share/bash-completion/completions/tcpwatch \
	$(UNITS:%=$(unit_dir)/%)

# systemd's units: where the program lies, and what all services are denied, is filled in.
UNITS      = $(notdir $(patsubst %.in,%,$(wildcard packaging/systemd/tcpwatch-*)))
UNIT_DIR  ?= $(PREFIX)/lib/systemd/system
unit_dir   = $(DESTDIR)$(UNIT_DIR)

$(BUILD)/systemd/%: packaging/systemd/%.in packaging/systemd/hardening.conf FORCE
	@mkdir -p $(@D)
	@sed -e 's|@sbindir@|$(PREFIX)/sbin|' -e '/@hardening@/{r packaging/systemd/hardening.conf' \
		-e 'd}' $< > $@

$(BUILD)/systemd/%: packaging/systemd/% FORCE
	@mkdir -p $(@D) && cp $< $@

install: all $(UNITS:%=$(BUILD)/systemd/%) ## Install into PREFIX (/usr/local), below DESTDIR if given
	install -D -m 755 $(BUILD)/tcpwatch $(DESTDIR)$(PREFIX)/sbin/tcpwatch
	install -D -m 644 docs/tcpwatch.8 $(DESTDIR)$(PREFIX)/share/man/man8/tcpwatch.8
	install -D -m 644 packaging/tcpwatch.bash \
		$(DESTDIR)$(PREFIX)/share/bash-completion/completions/tcpwatch
	install -d $(unit_dir) $(doc_dir)
	install -m 644 $(UNITS:%=$(BUILD)/systemd/%) $(unit_dir)
	install -m 644 $(DOC_FILES) $(doc_dir)
	install -D -m 644 dashboards/tcpwatch.json $(share_dir)/dashboards/tcpwatch.json
	install -D -m 644 dashboards/tcpwatch.rules.yml $(share_dir)/rules/tcpwatch.rules.yml
	sed -i 's|docs/RUNBOOK.md|$(runbook)|' $(share_dir)/rules/tcpwatch.rules.yml

uninstall: ## Remove what install put there
	rm -f $(installed)
	rm -rf $(doc_dir) $(share_dir)

clean: ## Remove everything that was built
	rm -rf $(BUILD)

help: ## Say what there is to make
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 18
	@echo "Variables: PREFIX, DESTDIR, BUILD, CFLAGS, WERROR=1, FUZZ_SECONDS, ARGS (of tcpwatch top)"

# What `make test`, `make bench` and `make lint` need built, as targets of their second make.
.PHONY: built-tests built-bench built-lint built-warnings
built-tests: all $(ASAN_PROGRAM) $(UNIT_TESTS) $(ASAN_TESTS) $(BPF_TESTS) $(FUZZERS)
built-bench: $(TEST_SKELETONS) $(BENCHES)
built-lint: all $(TEST_SKELETONS)

# What `make lint` compiles with warnings as errors: everything, nothing linked but the program.
built-warnings: all $(patsubst %.c,$(BUILD)/%.o,$(filter-out %.bpf.c,$(wildcard tests/*/*.c)))

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
