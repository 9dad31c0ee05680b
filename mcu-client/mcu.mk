# The firmware for the emulated board: bare-metal rv32imc, the instruction set of the ESP32-C3.
# Everything from the same sources as the host's client; only ports/qemu-rv32 is its own.

MCU_CC    ?= riscv64-unknown-elf-gcc
MCU_RAM   ?= 64K
MCU_STACK ?= 5K
# not under $(BUILD): sanitizers of the host are not the firmware's
MCU_BUILD := build/mcu
MCU_DEPS  := build/mcu-deps
MCU_PORT  := mcu-client/ports/qemu-rv32
MCU_ELF   := $(MCU_BUILD)/conclave-mcu.elf

MCU_OWN := $(wildcard shamir/*.c protocol/*.c mcu-client/*.c mcu-client/ports/*.c $(MCU_PORT)/*.c)
MCU_ASM := $(wildcard $(MCU_PORT)/*.S)
MCU_LWIP := $(addprefix core/,def dns inet_chksum init ip mem memp netif pbuf sys tcp tcp_in \
	tcp_out timeouts udp) $(addprefix core/ipv4/,dhcp etharp icmp ip4 ip4_addr) \
	$(addprefix api/,api_lib api_msg err netbuf netdb sockets tcpip) netif/ethernet

# rv32imc, not rv32imc_zicsr: that name has no multilib and would link rv64's.
MCU_FLAGS = -march=rv32imc -mabi=ilp32 -specs=picolibc.specs -Os -g -ffunction-sections -fdata-sections
MCU_CPPFLAGS = -I. -Imcu-client -I$(MCU_PORT) -isystem $(MCU_DEPS)/lwip/src/include \
	-isystem $(MCU_DEPS)/mbedtls/include -isystem $(MCU_DEPS)/include -DCONCLAVE_VERSION='"$(VERSION)"' \
	-DMBEDTLS_CONFIG_FILE='"board_mbedtls.h"' -DCJSON_NESTING_LIMIT=8 -DCJSON_HIDE_SYMBOLS \
	-DCV_EVIDENCE_MAX=2048 -DCV_SHARE_SET_MAX=4096 -DCV_DIGESTS_MAX=4 -DCV_INVENTORY_MAX=1

mcu_own_obj = $(patsubst %,$(MCU_BUILD)/obj/%.o,$(1))

$(MCU_DEPS)/.done: deploy/mcu-deps.sh deploy/debian-source.sh
	@sh deploy/mcu-deps.sh $(MCU_DEPS)
	@mkdir -p $(MCU_DEPS)/include && ln -sfn ../cjson $(MCU_DEPS)/include/cjson

$(MCU_BUILD)/obj/%.c.o: %.c $(MCU_DEPS)/.done
	@mkdir -p $(@D)
	@echo "  MCU  $<"
	@$(MCU_CC) $(MCU_FLAGS) $(MCU_CPPFLAGS) -std=gnu11 $(WARN) -MMD -MP -c -o $@ $<
$(MCU_BUILD)/obj/%.S.o: %.S
	@mkdir -p $(@D)
	@$(MCU_CC) $(MCU_FLAGS) -c -o $@ $<

# Only net.c speaks POSIX; elsewhere these names would catch picolibc's own includes.
$(MCU_BUILD)/obj/mcu-client/net.c.o: MCU_CPPFLAGS += -I$(MCU_PORT)/posix

# The libraries are compiled in one go each: their file names are known only after unpacking.
# Big numbers for speed: a handshake is almost nothing else.
$(MCU_BUILD)/lib%.a: $(MCU_DEPS)/.done $(MCU_PORT)/board_mbedtls.h $(MCU_PORT)/lwipopts.h \
		$(MCU_PORT)/arch/cc.h $(MCU_PORT)/arch/sys_arch.h mcu-client/mcu.mk
	@mkdir -p $(MCU_BUILD)/lib-$*
	@echo "  MCU  lib$*"
	@printf '%s\n' $(foreach f,$(MCU_FLAGS) $(MCU_CPPFLAGS),'$(subst ",\",$(subst ',,$(f)))') > $(MCU_BUILD)/lib-$*/flags
	@printf '%s\n' $(MCU_SRC_$*) | xargs -P 2 -I{} sh -c '$(MCU_CC) @$(MCU_BUILD)/lib-$*/flags \
		$$(case {} in */bignum*|*/ecp*) echo -O2;; esac) -std=gnu11 -w -c -o $(MCU_BUILD)/lib-$*/$$(basename {} .c).o {}'
	@rm -f $@
	@riscv64-unknown-elf-ar rcs $@ $(MCU_BUILD)/lib-$*/*.o
MCU_SRC_mbedtls = $(MCU_DEPS)/mbedtls/library/*.c
MCU_SRC_cjson = $(MCU_DEPS)/cjson/cJSON.c
MCU_SRC_lwip = $(foreach f,$(MCU_LWIP),$(MCU_DEPS)/lwip/src/$(f).c)
MCU_LIBS := $(foreach l,mbedtls lwip cjson,$(MCU_BUILD)/lib$(l).a)

# Flash and RAM of the machine are both RAM of the emulator, at fixed places.
MCU_LDFLAGS = --crt0=hosted -Wl,--gc-sections -Wl,--defsym,__flash=0x80000000 \
	-Wl,--defsym,__flash_size=1M -Wl,--defsym,__ram=0x80400000 -Wl,--defsym,__ram_size=$(MCU_RAM) \
	-Wl,--defsym,__stack_size=$(MCU_STACK) -Tpicolibc.ld -Wl,-Map,$@.map
$(MCU_ELF): $(call mcu_own_obj,$(MCU_OWN) $(MCU_ASM)) $(MCU_LIBS)
	@echo "  MCU  $@"
	@$(MCU_CC) $(MCU_FLAGS) $(MCU_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group $(MCU_LIBS) -Wl,--end-group

# The same firmware with the faults that tests ask for.
MCU_TRIAL := $(MCU_BUILD)/conclave-mcu-trial.elf
$(MCU_BUILD)/obj/main-trial.o: $(MCU_PORT)/main.c $(MCU_BUILD)/obj/$(MCU_PORT)/main.c.o
	@$(MCU_CC) $(MCU_FLAGS) $(MCU_CPPFLAGS) -std=gnu11 $(WARN) -DMAIN_BOOT=trial_run -c -o $@ $<
$(MCU_TRIAL): $(MCU_BUILD)/obj/main-trial.o $(filter-out %/main.c.o,$(call mcu_own_obj,$(MCU_OWN) $(MCU_ASM))) $(MCU_LIBS)
	@echo "  MCU  $@"
	@$(MCU_CC) $(MCU_FLAGS) $(MCU_LDFLAGS) -Wl,--wrap=tls_connect,--wrap=mbedtls_ssl_handshake -o $@ \
		$(filter %.o,$^) -Wl,--start-group $(MCU_LIBS) -Wl,--end-group

# The unit tests of the portable core on the chip: same sources, same golden vectors, the host's limits.
MCU_TESTS := $(addprefix protocol/test_,base64url evidence handshake hkdf_hpke id json_get json_scan \
	json_write jws lp mac message nonce opcert settings_rules share_set standing) shamir/test_shamir
MCU_TEST_HELPERS := tests/unit/protocol/damage.c tests/unit/protocol/documents.c \
	$(wildcard tests/unit/protocol/sim_*.c) tests/target/main.c
MCU_TARGET := $(MCU_BUILD)/conclave-target.elf
MCU_TEST_CPPFLAGS = -I$(MCU_BUILD) -Itests/target $(filter-out -DCV_%,$(MCU_CPPFLAGS)) -D_GNU_SOURCE -DDAMAGE_STEP=1009
MCU_TEST_OBJ := $(MCU_TESTS:%=$(MCU_BUILD)/obj/target/%.o)
MCU_TEST_CORE := $(patsubst %,$(MCU_BUILD)/obj/target/core/%.o,$(wildcard shamir/*.c protocol/*.c)) \
	$(call mcu_own_obj,mcu-client/crypto_psa.c $(addprefix $(MCU_PORT)/,entropy.c virtio.c board.c))
$(MCU_BUILD)/obj/target/core/%.c.o: %.c $(MCU_DEPS)/.done
	@mkdir -p $(@D)
	@$(MCU_CC) $(MCU_FLAGS) $(MCU_TEST_CPPFLAGS) -std=gnu11 -w -MMD -MP -c -o $@ $<
$(MCU_BUILD)/programs.h: mcu-client/mcu.mk
	@mkdir -p $(@D)
	@printf 'PROGRAM(%s)\n' $(notdir $(MCU_TESTS)) > $@
$(MCU_BUILD)/obj/target/%.o: tests/unit/%.c $(MCU_DEPS)/.done tests/target/cmocka.h
	@mkdir -p $(@D)
	@$(MCU_CC) $(MCU_FLAGS) $(MCU_TEST_CPPFLAGS) -std=gnu11 -w -Dmain=target_$(*F) -MMD -MP -c -o $@ $<
MCU_HELPER_OBJ := $(patsubst %.c,$(MCU_BUILD)/obj/target/helper-%.o,$(notdir $(MCU_TEST_HELPERS)))
$(MCU_HELPER_OBJ): $(MCU_BUILD)/obj/target/helper-%.o: $(MCU_TEST_HELPERS) $(MCU_DEPS)/.done tests/target/cmocka.h $(MCU_BUILD)/programs.h
	@mkdir -p $(@D)
	@$(MCU_CC) $(MCU_FLAGS) $(MCU_TEST_CPPFLAGS) -std=gnu11 -w -MMD -MP -c -o $@ $(filter %/$*.c,$^)
$(MCU_TARGET): $(MCU_TEST_OBJ) $(MCU_HELPER_OBJ) $(MCU_TEST_CORE) $(MCU_LIBS)
	@echo "  MCU  $@"
	@$(MCU_CC) $(MCU_FLAGS) --oslib=semihost --crt0=semihost -Wl,--gc-sections -Wl,--defsym,__flash=0x80000000 \
		-Wl,--defsym,__flash_size=4M -Wl,--defsym,__ram=0x80400000 -Wl,--defsym,__ram_size=8M \
		-Wl,--defsym,__stack_size=512K -Tpicolibc.ld -o $@ $(filter %.o,$^) -Wl,--start-group $(MCU_LIBS) -Wl,--end-group

.PHONY: mcu-firmware mcu-trial
mcu-trial: $(MCU_TRIAL) $(MCU_TARGET)
mcu-firmware: $(MCU_ELF) ## build the microcontroller's firmware for the emulated board

.PHONY: mcu-run mcu-report
mcu-run: all $(MCU_ELF) ## boot the firmware in the emulator against three gateways on this host (IMAGE=FILE: a device of yours)
	@CONCLAVE_BIN=$(abspath $(BUILD)/bin) $(PYTHON) tests/e2e/mcu_run.py $(IMAGE)
mcu-report: all $(MCU_ELF) ## the firmware's size, memory and instructions, with the margin to each ceiling
	@CONCLAVE_BIN=$(abspath $(BUILD)/bin) $(PYTHON) tests/e2e/mcu_report.py

ifneq ($(shell command -v $(MCU_CC) 2>/dev/null),)
test-run test-long-run: $(MCU_ELF) $(MCU_TRIAL) $(MCU_TARGET)
endif

-include $(shell find $(MCU_BUILD)/obj -name '*.d' 2>/dev/null)
