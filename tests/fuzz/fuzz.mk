# Fuzz targets: tests/fuzz/NAME.c, each with LLVMFuzzerTestOneInput. A prefix says what it links: fs_ the
# volume, gw_ the gateway, op_ the operator's command, mcu_ the microcontroller client, none the protocol
# (where signatures always hold: tests/fuzz/support/).
# Seeds are in tests/fuzz/seeds/NAME; what the fuzzer finds is kept in build/fuzz/corpus/NAME.

FUZZ_SECONDS ?= 60
FUZZ_NAMES := $(patsubst tests/fuzz/%.c,%,$(wildcard tests/fuzz/*.c))
FUZZ_SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
fuzz_folder = $(or $(if $(filter fs_%,$(1)),fs),$(if $(filter gw_%,$(1)),gateway),$(if $(filter op_%,$(1)),provisioning),$(if $(filter mcu_%,$(1)),mcu-client),protocol)
$(call obj,$(wildcard tests/fuzz/gw_*.c)): CPPFLAGS += -I$(CIVETWEB_DIR)/include
$(call obj,$(wildcard tests/fuzz/gw_*.c)): | $(CIVETWEB_LIB)
FUZZ_SUPPORT := $(call obj,$(wildcard tests/fuzz/support/*.c))

.PHONY: fuzz fuzz-build fuzz-run
fuzz: ## run every fuzz target for FUZZ_SECONDS (60) under address and undefined (needs clang)
	@command -v clang > /dev/null || { echo "fuzz: clang is not installed"; exit 1; }
	@$(MAKE) --no-print-directory CC=clang BUILD=build/fuzz HARDEN= \
		SANFLAGS='-fsanitize=fuzzer-no-link $(FUZZ_SAN)' fuzz-run
fuzz-build: $(FUZZ_NAMES:%=$(BUILD)/fuzz-bin/%)
fuzz-run: fuzz-build
	@set -e; for name in $(FUZZ_NAMES); do sh tests/fuzz/run.sh $(BUILD) $$name $(FUZZ_SECONDS); done

define FUZZ
$(BUILD)/fuzz-bin/$(1): $(call obj,tests/fuzz/$(1).c) $(if $(filter protocol,$(call fuzz_folder,$(1))),$(FUZZ_SUPPORT)) $(foreach l,$(sort $(NEED_$(call fuzz_folder,$(1)))),$(call lib,$(l)))
	@mkdir -p $$(@D)
	@echo "  LD   $$@"
	@$$(CC) $$(LDFLAGS_ALL) -fsanitize=fuzzer -o $$@ $$(filter %.o,$$^) \
		$(if $(filter protocol,$(call fuzz_folder,$(1))),-Wl$$(comma)--wrap=crypto_es256_verify) \
		-Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $$(LIBS_$(call fuzz_folder,$(1)))
endef
$(foreach n,$(FUZZ_NAMES),$(eval $(call FUZZ,$(n))))
