# SPDX-License-Identifier: Apache-2.0
# One non-recursive Makefile. `make help` lists the targets.
#
#   FLAVOUR=release|debug|asan|tsan|fuzz   build/$(FLAVOUR)/ holds everything that is built
#   BRIDGE=1|0                             with or without real FHE (cargo, tfhe-rs)
#   V=1                                    show the commands

FLAVOUR ?= release
BRIDGE ?= 1
PREFIX ?= /usr/local
VERSION := 0.1.0
SOVERSION := 0

BUILD := build/$(FLAVOUR)
CARGO ?= cargo
CARGO_TARGET := build/cargo
BRIDGE_LIBRARY := $(CARGO_TARGET)/release/liblutra_tfhe.a

OPENMP := -fopenmp
ifeq ($(FLAVOUR),fuzz)
CC := clang
OPENMP :=
endif

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-6s %s\n'
endif

# --- flags -----------------------------------------------------------------------------------
WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion \
            -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wundef -Wcast-qual \
            -Wdouble-promotion -Werror
ifeq ($(FLAVOUR),fuzz)
# clang warns of NAN in a double and of texts in assertions, too
WARNINGS += -Wno-double-promotion -Wno-string-conversion
endif
# Contraction would give the reference different bits from compiler to compiler.
COMMON := -std=c11 -D_POSIX_C_SOURCE=200809L -I. $(WARNINGS) -ffp-contract=off $(OPENMP) -fPIC \
          -DLUTRA_VERSION='"$(VERSION)"' -DLUTRA_WITH_TFHE=$(BRIDGE)

FLAVOUR_release := -O3 -g
FLAVOUR_debug   := -O0 -g3
FLAVOUR_asan    := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAVOUR_tsan    := -O1 -g -fsanitize=thread
FLAVOUR_fuzz    := -O1 -g -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
ifeq ($(FLAVOUR_$(FLAVOUR)),)
$(error FLAVOUR=$(FLAVOUR) is unknown; use release, debug, asan, tsan or fuzz)
endif

PACKAGES := hdf5 openblas libpng cairo libcjson inih zlib
MISSING := $(shell for p in $(PACKAGES); do pkg-config --exists $$p || printf '%s ' $$p; done)
ifneq ($(strip $(MISSING)),)
ifeq ($(filter help clean,$(MAKECMDGOALS)),)
$(error missing libraries: $(MISSING)- run './setup check', or install the Debian packages that './setup packages' lists)
endif
endif
PACKAGE_CFLAGS := $(patsubst -I%,-isystem %,$(shell pkg-config --cflags $(PACKAGES) 2>/dev/null))
PACKAGE_LIBS := $(shell pkg-config --libs $(PACKAGES) 2>/dev/null)

override CFLAGS += $(COMMON) $(FLAVOUR_$(FLAVOUR)) $(PACKAGE_CFLAGS)
override LDFLAGS += $(FLAVOUR_$(FLAVOUR)) $(OPENMP)
LIBS := $(PACKAGE_LIBS) -lpthread -ldl -lm

# --- sources ---------------------------------------------------------------------------------
FOLDERS := base sim quant train datasets bridge
LIBRARY_SOURCES := $(sort $(foreach f,$(FOLDERS),$(wildcard $(f)/*.c)))
PROGRAM_SOURCES := $(sort $(wildcard cli/*.c) $(wildcard experiments/*.c))
# experiments/ is part of the program; what of it has unit tests is linked to the tests
SUPPORT_SOURCES := $(sort $(wildcard tests/support/*.c) experiments/figures.c)
TEST_KINDS := unit prop kernels golden stat fault bridge
TEST_SOURCES := $(sort $(foreach k,$(TEST_KINDS),$(foreach p,test prop check stat,$(wildcard tests/$(k)/$(p)_*.c))))
ifeq ($(BRIDGE),0)
TEST_SOURCES := $(filter-out tests/bridge/test_real_%.c,$(TEST_SOURCES))
endif
FUZZ_SOURCES := $(sort $(wildcard tests/fuzz/fuzz_*.c))

object = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIBRARY_OBJECTS := $(call object,$(LIBRARY_SOURCES))
PROGRAM_OBJECTS := $(call object,$(PROGRAM_SOURCES))
SUPPORT_OBJECTS := $(call object,$(SUPPORT_SOURCES))
TEST_PROGRAMS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(TEST_SOURCES))
FUZZ_PROGRAMS := $(patsubst tests/%.c,$(BUILD)/tests/%,$(FUZZ_SOURCES))
LIBRARY := $(BUILD)/liblutra.a
SHARED := $(BUILD)/liblutra.so.$(SOVERSION)
PROGRAM := $(BUILD)/lutra

ifeq ($(BRIDGE),1)
BRIDGE_DEPENDENCY := $(BRIDGE_LIBRARY)
endif

.PHONY: all bridge notebooks reference check check-all check-unit check-cli lint sanitize golden fuzz install uninstall \
        format clean help tests FORCE
.SECONDARY:
.DELETE_ON_ERROR:

all: $(PROGRAM) ## build the program (default)

# --- rebuild when compiler or flags change ---------------------------------------------------
STAMP := $(BUILD)/flags.stamp
STAMP_TEXT := $(CC) $(CFLAGS) $(LDFLAGS) $(LIBS)
ifeq ($(filter help clean,$(MAKECMDGOALS)),)
$(shell mkdir -p $(BUILD); printf '%s\n' "$(subst ",\",$(STAMP_TEXT))" | cmp -s - $(STAMP) || printf '%s\n' "$(subst ",\",$(STAMP_TEXT))" > $(STAMP))
endif

# --- objects: instruction-set flags belong to the files named after them, and to no other -----
$(BUILD)/obj/%_avx2.o: ISA := -mavx2 -mfma -mpopcnt
$(BUILD)/obj/%_avx512.o: ISA := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mavx512vpopcntdq -mpopcnt -mfma
$(BUILD)/obj/%_avx512bf16.o: ISA := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512bf16 -mfma

$(BUILD)/obj/%.o: %.c $(STAMP)
	$(say) CC '$<'
	@mkdir -p $(dir $@)
	$(Q)$(CC) $(CFLAGS) $(ISA) -MMD -MP -c -o $@ $<

$(LIBRARY): $(LIBRARY_OBJECTS)
	$(say) AR '$@'
	@rm -f $@
	$(Q)ar rcs $@ $^

$(SHARED): $(LIBRARY_OBJECTS) $(BRIDGE_DEPENDENCY)
	$(say) LD '$@'
	$(Q)$(CC) -shared -Wl,-soname,liblutra.so.$(SOVERSION) $(LDFLAGS) -o $@ $(LIBRARY_OBJECTS) $(BRIDGE_DEPENDENCY) $(LIBS)

$(PROGRAM): $(PROGRAM_OBJECTS) $(LIBRARY) $(BRIDGE_DEPENDENCY)
	$(say) LD '$@'
	$(Q)$(CC) $(LDFLAGS) -o $@ $(PROGRAM_OBJECTS) $(LIBRARY) $(BRIDGE_DEPENDENCY) $(LIBS)

# --- real FHE: a Rust static library over tfhe-rs ----------------------------------------------
bridge: $(BRIDGE_LIBRARY) ## build the tfhe-rs bridge library

$(BRIDGE_LIBRARY): bridge/tfhe/Cargo.toml bridge/tfhe/Cargo.lock $(wildcard bridge/tfhe/src/*.rs)
	$(say) CARGO 'bridge/tfhe'
	@command -v $(CARGO) >/dev/null || { echo "cargo is missing: run './setup check', or build without real FHE: make BRIDGE=0" >&2; exit 1; }
	$(Q)CARGO_TARGET_DIR=$(CARGO_TARGET) $(CARGO) build --quiet --release --locked --manifest-path bridge/tfhe/Cargo.toml
	@touch $@

# --- tests -------------------------------------------------------------------------------------
$(BUILD)/tests/fuzz/%: $(BUILD)/obj/tests/fuzz/%.o $(if $(filter fuzz,$(FLAVOUR)),,$(BUILD)/obj/tests/fuzz/driver.o) $(SUPPORT_OBJECTS) $(LIBRARY) $(BRIDGE_DEPENDENCY)
	$(say) LD '$@'
	@mkdir -p $(dir $@)
	$(Q)$(CC) $(LDFLAGS) $(if $(filter fuzz,$(FLAVOUR)),-fsanitize=fuzzer) -o $@ $(filter %.o,$^) $(LIBRARY) $(BRIDGE_DEPENDENCY) $(LIBS) -lcmocka

# Allocation-failure tests put themselves between the library and the allocator.
$(BUILD)/tests/fault/%: TEST_LDFLAGS := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc

# Parts of the program, not of the library, that a test brings to failure with its own experiments.
REPORT_OBJECTS := $(BUILD)/obj/experiments/compare.o $(BUILD)/obj/experiments/report.o
$(BUILD)/tests/fault/test_alloc_report: TEST_OBJECTS := $(REPORT_OBJECTS)
$(BUILD)/tests/fault/test_alloc_report: $(REPORT_OBJECTS)

$(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(SUPPORT_OBJECTS) $(LIBRARY) $(BRIDGE_DEPENDENCY)
	$(say) LD '$@'
	@mkdir -p $(dir $@)
	$(Q)$(CC) $(LDFLAGS) $(TEST_LDFLAGS) -o $@ $< $(TEST_OBJECTS) $(SUPPORT_OBJECTS) $(LIBRARY) $(BRIDGE_DEPENDENCY) $(LIBS) -lcmocka

tests: $(TEST_PROGRAMS) $(if $(filter fuzz,$(FLAVOUR)),,$(FUZZ_PROGRAMS)) ## build every test program

check-unit: $(PROGRAM) tests ## run the cmocka tests and the fuzz corpora of this flavour
	$(Q)FLAVOUR=$(FLAVOUR) BRIDGE=$(BRIDGE) tests/run.sh $(BUILD) $(TEST_PROGRAMS)

check-cli: $(PROGRAM) ## run the command-line tests
	$(Q)LSAN_OPTIONS=suppressions=$(CURDIR)/tests/support/leaks.txt:print_suppressions=0 \
	    tests/cli/run.sh $(PROGRAM)

check: check-unit lint check-cli ## tests, lint and command line of this flavour

sanitize: ## the tests under address, undefined and thread sanitizers
	$(Q)$(MAKE) --no-print-directory FLAVOUR=asan check-unit check-cli
	$(Q)$(MAKE) --no-print-directory FLAVOUR=tsan check-unit

check-all: ## everything: tests, lint, command line, sanitizers
	$(Q)$(MAKE) --no-print-directory check
	$(Q)$(MAKE) --no-print-directory sanitize

lint: $(LIBRARY) ## include law, headers alone, quiet library, licences, documented commands
	$(Q)tests/lint/run.sh $(LIBRARY)

fuzz: ## build the libFuzzer targets (clang); run one with build/fuzz/tests/fuzz/NAME CORPUS
	$(Q)$(MAKE) --no-print-directory FLAVOUR=fuzz BRIDGE=0 fuzz-programs

.PHONY: fuzz-programs
fuzz-programs: $(FUZZ_PROGRAMS)

# Each notebook is run from top to bottom; what they make is kept in build/notebooks, and their pages
# with outputs in build/notebooks/pages. NOTEBOOKS= chooses some.
NOTEBOOKS ?= $(wildcard notebooks/*.ipynb)
JUPYTER := /usr/bin/jupyter
ifeq ($(wildcard $(JUPYTER)),)
JUPYTER := jupyter
endif

notebooks: $(PROGRAM) ## run all notebooks in their quick setting (jupyter-nbconvert, python3-h5py, python3-matplotlib)
	@command -v $(JUPYTER) > /dev/null || { echo "jupyter is missing: see notebooks/requirements.txt" >&2; exit 1; }
	@mkdir -p $(BUILD)/../notebooks/pages
	$(Q)for n in $(NOTEBOOKS); do \
	    $(JUPYTER) nbconvert --to notebook --execute --log-level=ERROR --output-dir build/notebooks/pages $$n && \
	    echo "  ok   $$n" || exit 1; done

reference: $(PROGRAM) ## write the reference of all commands, build/release/commands.md
	$(Q)scripts/make-command-reference.sh $(PROGRAM) > $(BUILD)/commands.md

golden: ## recompute the golden states with PyTorch (python3-torch)
	$(Q)/usr/bin/python3 tests/golden/make_vgg9_golden.py

format: ## reformat the C sources with clang-format
	$(Q)clang-format -i $(LIBRARY_SOURCES) $(PROGRAM_SOURCES) $(wildcard */*.h tests/*/*.[ch])

# --- install -------------------------------------------------------------------------------------
HEADERS := $(sort $(filter-out %_priv.h,$(foreach f,$(FOLDERS),$(wildcard $(f)/*.h))))

$(BUILD)/lutra.pc: FORCE
	@mkdir -p $(dir $@)
	@printf 'prefix=%s\nlibdir=$${prefix}/lib\nincludedir=$${prefix}/include/lutra\n\nName: lutra\nDescription: quantized networks under fully homomorphic encryption: train, simulate, verify\nVersion: %s\nRequires.private: %s\nLibs: -L$${libdir} -llutra\nLibs.private: $(if $(filter 1,$(BRIDGE)),-llutra_tfhe )-fopenmp -lpthread -ldl -lm\nCflags: -I$${includedir}\n' '$(PREFIX)' '$(VERSION)' '$(PACKAGES)' > $@

$(BUILD)/lutra.1: $(PROGRAM) scripts/make-man-page.sh
	$(Q)scripts/make-man-page.sh $(PROGRAM) > $@

install: $(PROGRAM) $(LIBRARY) $(SHARED) $(BUILD)/lutra.pc $(BUILD)/lutra.1 ## install below PREFIX (and DESTDIR)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib/pkgconfig $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 755 $(PROGRAM) $(DESTDIR)$(PREFIX)/bin/lutra
	install -m 644 $(LIBRARY) $(DESTDIR)$(PREFIX)/lib/liblutra.a
	$(if $(filter 1,$(BRIDGE)),install -m 644 $(BRIDGE_LIBRARY) $(DESTDIR)$(PREFIX)/lib/liblutra_tfhe.a)
	install -m 755 $(SHARED) $(DESTDIR)$(PREFIX)/lib/liblutra.so.$(SOVERSION)
	ln -sf liblutra.so.$(SOVERSION) $(DESTDIR)$(PREFIX)/lib/liblutra.so
	install -m 644 $(BUILD)/lutra.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/lutra.pc
	install -m 644 $(BUILD)/lutra.1 $(DESTDIR)$(PREFIX)/share/man/man1/lutra.1
	for h in $(HEADERS); do install -D -m 644 $$h $(DESTDIR)$(PREFIX)/include/lutra/$$h; done
	install -d $(DESTDIR)$(PREFIX)/share/lutra/networks
	install -m 644 experiments/networks/*.ini $(DESTDIR)$(PREFIX)/share/lutra/networks/
	install -d $(DESTDIR)$(PREFIX)/share/lutra/pretrained
	install -m 644 experiments/pretrained/*.h5 $(DESTDIR)$(PREFIX)/share/lutra/pretrained/
	install -d $(DESTDIR)$(PREFIX)/share/lutra/experiments
	install -m 644 experiments/*.ini $(DESTDIR)$(PREFIX)/share/lutra/experiments/
	for d in published expected; do \
	    install -d $(DESTDIR)$(PREFIX)/share/lutra/experiments/$$d; \
	    install -m 644 experiments/$$d/*.csv $(DESTDIR)$(PREFIX)/share/lutra/experiments/$$d/; done

uninstall: ## remove what install wrote
	rm -rf $(DESTDIR)$(PREFIX)/bin/lutra $(DESTDIR)$(PREFIX)/lib/liblutra.* $(DESTDIR)$(PREFIX)/lib/pkgconfig/lutra.pc \
	       $(DESTDIR)$(PREFIX)/share/man/man1/lutra.1 $(DESTDIR)$(PREFIX)/include/lutra $(DESTDIR)$(PREFIX)/share/lutra

clean: ## remove everything that was built
	rm -rf build

help: ## this list
	@echo 'usage: make [TARGET] [FLAVOUR=release|debug|asan|tsan|fuzz] [BRIDGE=1|0] [V=1]'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 16

-include $(wildcard $(patsubst %.o,%.d,$(LIBRARY_OBJECTS) $(PROGRAM_OBJECTS) $(SUPPORT_OBJECTS) $(call object,$(TEST_SOURCES) $(FUZZ_SOURCES) tests/fuzz/driver.c)))
