# Conclave: federated key-share unlock. `make help` lists the targets.

VERSION := 0.1.0
BUILD   ?= build
CC      ?= cc
PREFIX  ?= /usr/local
DESTDIR ?=
PYTHON  ?= /usr/bin/python3
PKG     := pkg-config

# SAN=address,undefined (or thread) builds everything again under its own folder.
SAN ?=
ifneq ($(SAN),)
BUILD := build/san-$(subst $(eval ) ,-,$(subst $(comma),-,$(SAN)))
SANFLAGS := -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
endif
comma := ,

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
	-DCONCLAVE_LIBEXEC='"$(PREFIX)/libexec/conclave"' -DFUSE_USE_VERSION=314 \
	$(shell $(PKG) --cflags $(PACKAGES))
CFLAGS_ALL = -std=c11 -g $(OPT) -fPIE $(WARN) $(HARDEN) $(SANFLAGS) $(CFLAGS)
LDFLAGS_ALL = -pie -Wl,-z,relro,-z,now,-z,noexecstack $(SANFLAGS) $(LDFLAGS)

LIB_sodium   := $(shell $(PKG) --libs libsodium)
LIB_crypto   := $(shell $(PKG) --libs libcrypto)
LIB_ssl      := $(shell $(PKG) --libs libssl libcrypto)
LIB_curl     := $(shell $(PKG) --libs libcurl)
LIB_cjson    := $(shell $(PKG) --libs libcjson)
LIB_fuse     := $(shell $(PKG) --libs fuse3)
LIB_sqlite   := $(shell $(PKG) --libs sqlite3)
LIB_inih     := $(shell $(PKG) --libs inih)
LIB_seccomp  := $(shell $(PKG) --libs libseccomp)
LIB_mbedtls  := -lmbedtls -lmbedx509 -lmbedcrypto

# --- libraries: one per folder; main.c is the program, everything else the library
FOLDERS := shamir protocol host fs notify gateway device provisioning mcu-client
SRC_mcu-client := $(wildcard mcu-client/*.c mcu-client/ports/host/*.c)
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
LIBS_host := $(BASE_LIBS)
LIBS_fs := $(LIB_fuse) $(BASE_LIBS)
LIBS_notify := $(LIB_curl) $(LIB_sqlite) $(BASE_LIBS)
LIBS_gateway := $(CIVETWEB_LIB) $(LIB_curl) $(LIB_sqlite) $(LIB_ssl) $(BASE_LIBS) -lm -ldl
LIBS_device := $(LIB_curl) $(LIB_ssl) $(BASE_LIBS)
LIBS_provisioning := $(LIB_curl) $(LIB_ssl) $(LIB_mbedtls) $(BASE_LIBS)
# static mbedTLS, so that the client's counted allocator sees what TLS allocates (heap.h)
LIBS_mcu-client := -Wl,--wrap=malloc,--wrap=calloc,--wrap=free -l:libmbedtls.a -l:libmbedx509.a \
	-l:libmbedcrypto.a $(LIB_cjson) -lpthread

# --- CivetWeb: built from the distribution's source package (see deploy/civetweb.sh)
CIVETWEB_DIR := $(BUILD)/civetweb
CIVETWEB_LIB := $(CIVETWEB_DIR)/libcivetweb.a
$(CIVETWEB_LIB): deploy/civetweb.sh
	@CC="$(CC)" sh deploy/civetweb.sh $(CIVETWEB_DIR)
$(call obj,$(wildcard gateway/*.c)): CPPFLAGS += -I$(CIVETWEB_DIR)/include
$(call obj,$(wildcard gateway/*.c)): | $(CIVETWEB_LIB)

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

define UNIT
$(BUILD)/test/$(1)/%: $(BUILD)/obj/tests/unit/$(1)/%.o $(call obj,$(filter-out $(wildcard tests/unit/$(1)/test_*.c),$(wildcard tests/unit/$(1)/*.c))) $(foreach l,$(sort $(NEED_$(1))),$(call lib,$(l))) $(if $(filter gateway,$(1)),$(CIVETWEB_LIB))
	@mkdir -p $$(@D)
	@echo "  LD   $$@"
	@$(CC) $$(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(LIBS_$(1)) -lcmocka
test-unit-$(1): $(filter $(BUILD)/test/$(1)/%,$(UNIT_BIN))
	@set -e; for t in $$^; do echo "  TEST $$$$t"; $$$$t; done
.PHONY: test-unit-$(1)
endef
$(foreach f,$(FOLDERS),$(eval $(call UNIT,$(f))))
.SECONDARY:

.DEFAULT_GOAL := all
.PHONY: all help clean
all: $(addprefix $(BUILD)/bin/,$(PROGRAMS)) ## build every program

help: ## list the targets
	@grep -hE '^[a-z][a-zA-Z0-9_-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  %-18s %s\n", $$1, $$2}'

clean: ## remove everything that was built
	rm -rf build

-include $(shell find $(BUILD)/obj -name '*.d' 2>/dev/null)
