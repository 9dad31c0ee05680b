# The benchmarks; included by the Makefile.

BENCH_GFSHARE := $(wildcard /usr/include/libgfshare.h)
BENCH_shamir := measure
BENCH_steps := measure tls_pair boot_log
BENCH_policy := measure
BENCH_alerts := measure receiver
BENCH_load := measure load_device load_client load_fill
BENCH_fs_ops := measure fs_ops_names
BENCH_PROGRAMS := shamir steps policy alerts load fs_ops
BENCH_BIN := $(addprefix $(BUILD)/bench/,$(BENCH_PROGRAMS))
BENCH_NEED := gateway notify host protocol shamir

$(BUILD)/obj/bench/shamir.o: CPPFLAGS += $(if $(BENCH_GFSHARE),-DBENCH_GFSHARE)
$(BUILD)/bench/shamir: BENCH_EXTRA := $(if $(BENCH_GFSHARE),-lgfshare)

define BENCH
$(BUILD)/bench/$(1): $(call obj,bench/$(1).c $(foreach p,$(BENCH_$(1)),bench/$(p).c)) $(foreach l,$(BENCH_NEED),$(call lib,$(l)))
	@mkdir -p $$(@D)
	@echo "  LD   $$@"
	@$(CC) $$(LDFLAGS_ALL) -o $$@ $$(filter %.o,$$^) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group $(LIB_curl) $(LIB_sqlite) $(LIB_ssl) $(BASE_LIBS) $$(BENCH_EXTRA)
endef
$(foreach p,$(BENCH_PROGRAMS),$(eval $(call BENCH,$(p))))

.PHONY: bench bench-run bench-fs bench-fs-run
bench: ## print every published figure, peers beside it (BENCH_ARGS="unlock load": only these)
	@sh deploy/install-deps.sh build
	@$(REMAKE) bench-run
bench-run: all $(BENCH_BIN)
	@CONCLAVE_BIN=$(abspath $(BUILD)/bin) CONCLAVE_BENCH=$(abspath $(BUILD)/bench) $(PYTHON) bench/run.py $(BENCH_ARGS)

bench-fs: ## the volume beside its peers (BENCH_ROUNDS=1 BENCH_PEERS="gocryptfs ext4" BENCH_ROWS=fsync: a part)
	@sh deploy/install-deps.sh build
	@$(REMAKE) bench-fs-run
bench-fs-run: $(BUILD)/bin/conclave-volumed $(FS_TOOL) $(BUILD)/bench/fs_ops
	@CONCLAVE_BUILD=$(abspath $(BUILD)) CONCLAVE_BENCH=$(abspath $(BUILD)/bench) $(PYTHON) bench/fs.py
