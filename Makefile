# Conclave: federated key-share unlock. `make help` lists the targets.

VERSION := 0.1.0
BUILD   ?= build
CC      ?= cc
PREFIX  ?= /usr/local
DESTDIR ?=
# where mount(8) looks for helpers, whatever PREFIX says
MOUNT_HELPERS ?= /sbin
PYTHON  ?= /usr/bin/python3

# SAN=address,undefined (or thread) builds everything again under its own folder.
SAN ?=
comma := ,
ifneq ($(SAN),)
BUILD := build/san-$(subst $(comma),-,$(SAN))
SANFLAGS := -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
endif

OPT ?= -O2
try = $(shell printf 'int main(void){return 0;}' | $(CC) -Werror $(1) -x c -o /dev/null - 2>/dev/null && echo '$(1)')
HARDEN := $(call try,-fstack-protector-strong) $(call try,-fstack-clash-protection) $(call try,-fcf-protection)
ifeq ($(SAN),)
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=$(if $(call try,-O2 -D_FORTIFY_SOURCE=3),3,2)
endif
WARN := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla \
	-Wformat=2 -Wundef -Wswitch-enum -Wno-sign-conversion $(if $(CI)$(WERROR),-Werror)
PACKAGES := libsodium libcrypto libssl libcurl libcjson fuse3 sqlite3 inih libseccomp
CPPFLAGS += -I. -Imcu-client -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DCONCLAVE_VERSION='"$(VERSION)"' \
	-DFUSE_USE_VERSION=314 \
	$(shell pkg-config --cflags $(PACKAGES) 2>/dev/null)
CFLAGS_ALL = -std=c11 -g $(OPT) -fPIE $(WARN) $(HARDEN) $(SANFLAGS) $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now,-z,noexecstack $(SANFLAGS) $(LDFLAGS)

LIB_sodium   := $(shell pkg-config --libs libsodium 2>/dev/null)
LIB_crypto   := $(shell pkg-config --libs libcrypto 2>/dev/null)
LIB_ssl      := $(shell pkg-config --libs libssl libcrypto 2>/dev/null)
LIB_curl     := $(shell pkg-config --libs libcurl 2>/dev/null)
LIB_cjson    := $(shell pkg-config --libs libcjson 2>/dev/null)
LIB_fuse     := $(shell pkg-config --libs fuse3 2>/dev/null)
LIB_sqlite   := $(shell pkg-config --libs sqlite3 2>/dev/null)
LIB_inih     := $(shell pkg-config --libs inih 2>/dev/null)
LIB_tss2     := $(shell pkg-config --libs tss2-esys tss2-mu tss2-rc tss2-tctildr 2>/dev/null)
LIB_seccomp  := $(shell pkg-config --libs libseccomp 2>/dev/null)

# --- libraries: one per folder; main.c is the program, everything else the library
FOLDERS := shamir protocol host fs notify gateway device provisioning mcu-client
SRC_mcu-client := $(wildcard mcu-client/*.c mcu-client/ports/*.c mcu-client/ports/host/*.c)
src = $(filter-out %/main.c,$(or $(SRC_$(1)),$(wildcard $(1)/*.c)))
obj = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
lib = $(BUILD)/lib/lib$(1).a

define LIBRARY
$(call lib,$(1)): $(call obj,$(call src,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	@ar rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call LIBRARY,$(f))))

# what a program or test of a folder links, in order
CORE := protocol shamir
NEED_shamir := shamir
NEED_protocol := protocol shamir host protocol shamir
NEED_host := host $(CORE)
NEED_fs := fs host $(CORE)
NEED_notify := notify host $(CORE)
NEED_gateway := gateway notify host $(CORE)
NEED_device := device host $(CORE)
NEED_provisioning := provisioning fs host $(CORE)
NEED_mcu-client := mcu-client $(CORE)
BASE_LIBS := $(LIB_sodium) $(LIB_crypto) $(LIB_cjson) $(LIB_inih) $(LIB_seccomp) -lpthread
LIBS_shamir := $(LIB_sodium)
LIBS_protocol := $(BASE_LIBS)
LIBS_host := $(LIB_ssl) $(BASE_LIBS)
LIBS_fs := $(LIB_fuse) $(BASE_LIBS)
LIBS_notify := $(LIB_curl) $(LIB_sqlite) $(BASE_LIBS)
LIBS_gateway = $(CIVETWEB_LIB) $(LIB_curl) $(LIB_sqlite) $(LIB_ssl) $(BASE_LIBS) -lm -ldl
LIBS_device := $(LIB_curl) $(LIB_ssl) $(LIB_tss2) $(BASE_LIBS)
LIBS_provisioning := $(LIB_curl) $(LIB_ssl) $(BASE_LIBS)
# static mbedTLS, so that the client's counted allocator sees what TLS allocates (heap.h)
LIBS_mcu-client = -Wl,--wrap=malloc,--wrap=calloc,--wrap=free -Wl,--start-group -l:libmbedtls.a \
	-l:libmbedx509.a -l:libmbedcrypto.a $(call lib,mcu-client) -Wl,--end-group $(LIB_cjson) -lpthread

# --- CivetWeb: built from the distribution's source package (see deploy/civetweb.sh)
CIVETWEB_DIR := $(BUILD)/civetweb
CIVETWEB_LIB := $(CIVETWEB_DIR)/libcivetweb.a
$(CIVETWEB_LIB): deploy/civetweb.sh deploy/debian-source.sh
	@CC="$(CC)" sh deploy/civetweb.sh $(CIVETWEB_DIR)
$(call obj,$(wildcard gateway/*.c tests/unit/gateway/*.c)): CPPFLAGS += -I$(CIVETWEB_DIR)/include
$(call obj,$(wildcard gateway/*.c tests/unit/gateway/*.c)): | $(CIVETWEB_LIB)

$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC   $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS_ALL) -MMD -MP -c -o $@ $<

# --- programs
PROGRAMS := conclave conclave-gateway conclave-device conclave-volumed conclave-mcu
DIR_conclave := provisioning
DIR_conclave-gateway := gateway
DIR_conclave-device := device
DIR_conclave-volumed := fs
DIR_conclave-mcu := mcu-client
MAIN_conclave-mcu := mcu-client/ports/host/main.c
main = $(or $(MAIN_$(1)),$(DIR_$(1))/main.c)

define PROGRAM
$(BUILD)/bin/$(1): $(call obj,$(call main,$(1))) $(foreach l,$(NEED_$(DIR_$(1))),$(call lib,$(l))) $(if $(filter gateway,$(DIR_$(1))),$(CIVETWEB_LIB))
	@mkdir -p $$(@D)
	@echo "  LD   $$@"
	@$(CC) $$(LDFLAGS_ALL) -o $$@ $(call obj,$(call main,$(1))) -Wl,--start-group $(foreach l,$(sort $(NEED_$(DIR_$(1)))),$(call lib,$(l))) -Wl,--end-group $$(LIBS_$(DIR_$(1)))
endef
$(foreach p,$(PROGRAMS),$(eval $(call PROGRAM,$(p))))

# --- unit tests: tests/unit/FOLDER/test_*.c, each one program
UNIT_SRC := $(wildcard tests/unit/*/test_*.c)
UNIT_BIN := $(patsubst tests/unit/%.c,$(BUILD)/test/%,$(UNIT_SRC))
test_folder = $(word 1,$(subst /, ,$(patsubst tests/unit/%,%,$(1))))

# what tests of several folders share; a library, so that each takes what it uses
TEST_SUPPORT := $(BUILD)/lib/libtestsupport.a
$(TEST_SUPPORT): $(call obj,$(wildcard tests/unit/support/*.c))
	@mkdir -p $(@D)
	@rm -f $@
	@ar rcs $@ $^

define UNIT
$(BUILD)/test/$(1)/%: $(BUILD)/obj/tests/unit/$(1)/%.o $(call obj,$(filter-out $(wildcard tests/unit/$(1)/test_*.c),$(wildcard tests/unit/$(1)/*.c))) $(TEST_SUPPORT) $(foreach l,$(sort $(NEED_$(1))),$(call lib,$(l))) $(if $(filter gateway,$(1)),$(CIVETWEB_LIB))
	@mkdir -p $$(@D)
	@echo "  LD   $$@"
	@$(CC) $$(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(LIBS_$(1)) -lcmocka
test-unit-$(1): $(filter $(BUILD)/test/$(1)/%,$(UNIT_BIN))
	@set -e; for t in $$^; do echo "  TEST $$$$t"; $$$$t; done
.PHONY: test-unit-$(1)
endef
$(foreach f,$(FOLDERS),$(eval $(call UNIT,$(f))))
# lets every allocation of the libraries fail in turn
$(BUILD)/test/fs/test_memory: LDFLAGS_ALL += \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=secret_alloc,--wrap=EVP_CIPHER_CTX_new
# what the end-to-end tests of fs/ ask a volume with
FS_TOOL := $(BUILD)/test/fs_tool
$(FS_TOOL): $(BUILD)/obj/tests/e2e/fs_tool.o $(foreach l,$(sort $(NEED_fs)),$(call lib,$(l)))
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS_ALL) -o $@ $< -Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS_fs)
# boots of the microcontroller client with failing allocations
MCU_SWEEP := $(BUILD)/test/mcu_sweep
$(MCU_SWEEP): $(BUILD)/obj/tests/e2e/mcu_sweep.o $(foreach l,$(sort $(NEED_mcu-client)),$(call lib,$(l)))
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS_ALL) -Wl,--wrap=tls_connect,--wrap=mbedtls_ssl_handshake -o $@ $< \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS_mcu-client)
# random work on a mounted filesystem
FS_EXERCISE := $(BUILD)/test/fs_exercise
$(FS_EXERCISE): $(BUILD)/obj/tests/e2e/fs_exercise.o
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS_ALL) -o $@ $<
.SECONDARY:

.DEFAULT_GOAL := all
.PHONY: all help clean deps-build deps-test demo demo-run test test-run test-long test-long-run check install
all: $(addprefix $(BUILD)/bin/,$(PROGRAMS)) ## build every program (SAN=address,undefined for sanitizers)

# The flags above come from pkg-config, which a fresh machine lacks: install, then make anew.
REMAKE := $(MAKE) --no-print-directory -j2
demo: ## install what is missing, build, and unlock a real device with 2 of 3 gateways
	@sh deploy/install-deps.sh build
	@$(REMAKE) demo-run
demo-run: all
	@$(BUILD)/bin/conclave demo

test: ## install what is missing, build, and run every test (under 12 minutes on two cores)
	@sh deploy/install-deps.sh test
	@$(REMAKE) test-run
CHECKS := 'include directions and headers=sh tests/style/check.sh' \
	'constant time (valgrind taint)=sh tests/taint/run.sh $(CC) -O2' \
	'vectors are what the references write=$(PYTHON) tests/reference.py --check && $(PYTHON) tests/reference_shamir.py --check && $(PYTHON) tests/tpm_reference.py --check && $(PYTHON) tests/place_reference.py --check && $(PYTHON) tests/eventlog_reference.py --check'
TEST_ENV = CONCLAVE_BUILD=$(abspath $(BUILD)) CONCLAVE_BIN=$(abspath $(BUILD)/bin)
test-run: all $(UNIT_BIN) $(FS_TOOL) $(FS_EXERCISE) $(MCU_SWEEP)
	@$(TEST_ENV) $(PYTHON) tests/run.py --unit $(UNIT_BIN) \
		--check $(CHECKS) --pytest -q tests/e2e

test-long: ## the longer suites: every compiler and level, tens of thousands of crash states
	@sh deploy/install-deps.sh long
	@$(REMAKE) test-long-run
test-long-run: all $(UNIT_BIN) $(FS_TOOL) $(FS_EXERCISE) $(MCU_SWEEP)
	@CONCLAVE_LONG=1 $(TEST_ENV) $(PYTHON) tests/run.py --unit $(UNIT_BIN) \
		--check $(foreach c,gcc clang,$(foreach o,-O1 -O2 -Os,'taint $(c) $(o)=sh tests/taint/run.sh $(c) $(o)')) \
		--pytest -q tests/e2e

install: all ## install to DESTDIR and PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin $(DESTDIR)$(PREFIX)/libexec/conclave \
		$(DESTDIR)$(PREFIX)/share/man/man1 $(DESTDIR)$(PREFIX)/share/man/man5 $(DESTDIR)$(PREFIX)/share/man/man8 \
		$(DESTDIR)$(PREFIX)/lib/systemd/system $(DESTDIR)$(PREFIX)/share/doc/conclave
	install -m 755 $(BUILD)/bin/conclave $(BUILD)/bin/conclave-mcu $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(BUILD)/bin/conclave-gateway $(BUILD)/bin/conclave-device $(DESTDIR)$(PREFIX)/sbin
	install -m 755 $(BUILD)/bin/conclave-volumed $(DESTDIR)$(PREFIX)/libexec/conclave
	for n in 1 5 8; do for f in docs/man/*.$$n; do [ -f "$$f" ] || continue; \
		install -m 644 "$$f" $(DESTDIR)$(PREFIX)/share/man/man$$n; done; done
	install -d $(DESTDIR)$(MOUNT_HELPERS)
	for f in deploy/*mount.fuse.conclave; do \
		sed 's|@PREFIX@|$(PREFIX)|g' "$$f" > $(DESTDIR)$(MOUNT_HELPERS)/$$(basename "$$f"); \
		chmod 755 $(DESTDIR)$(MOUNT_HELPERS)/$$(basename "$$f"); done
	for f in deploy/*.service; do sed 's|@PREFIX@|$(PREFIX)|g' "$$f" \
		> $(DESTDIR)$(PREFIX)/lib/systemd/system/$$(basename "$$f"); done
	install -d $(DESTDIR)$(PREFIX)/lib/sysusers.d $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
	install -m 644 deploy/conclave.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/conclave.conf
	install -m 644 deploy/conclave.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/conclave.conf
	install -d $(DESTDIR)$(PREFIX)/share/doc/conclave/examples $(DESTDIR)$(PREFIX)/share/doc/conclave/mcu-client
	install -m 644 README.md docs/*.md docs/policy.schema.json deploy/*.ini.example deploy/*.mount deploy/*.automount \
		$(DESTDIR)$(PREFIX)/share/doc/conclave
	install -m 644 docs/examples/* $(DESTDIR)$(PREFIX)/share/doc/conclave/examples
	install -m 644 mcu-client/README.md $(DESTDIR)$(PREFIX)/share/doc/conclave/mcu-client

help: ## list the targets
	@grep -hE '^[a-z][a-zA-Z0-9_-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

clean: ## remove everything that was built
	rm -rf build

-include mcu-client/mcu.mk
-include tests/fuzz/fuzz.mk bench/bench.mk
-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
