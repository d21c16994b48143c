# test-neon: the engine and its tests, compiled for aarch64 and run under qemu-user: NEON is all that they have there.

NEON_BUILD = $(abspath $(BUILD)/../neon)
NEON_SYSROOT = $(NEON_BUILD)/sysroot
NEON_CXX = $(CXX) --target=aarch64-linux-gnu --sysroot=$(NEON_SYSROOT) -std=c++17 $(CONFIG_release) $(WARNINGS) \
           -MMD -MP -I.
NEON_ENGINE := $(ENGINE:%.cc=$(NEON_BUILD)/%.o)
# Without the team's: it has no vectors, and qemu-user aborts where a process with threads forks.
NEON_TESTS := $(patsubst ../tests/native/%.cc,$(NEON_BUILD)/tests/%,\
                $(filter-out %/engine_team_test.cc,$(wildcard ../tests/native/*.cc)))

# Unless a make above shares its jobs.
NEON_JOBS = $(if $(findstring jobserver,$(MAKEFLAGS)),,--jobs=$$(nproc))

.PHONY: test-neon run-neon $(NEON_TESTS:%=%.run)
ifneq ($(HOST),Linux)
test-neon:
	@echo "test-neon: skipped; it needs qemu-user, and with it Linux"
else ifneq ($(filter aarch64 arm64,$(shell uname -m)),)
test-neon:
	@echo "test-neon: skipped; this machine has NEON, and \`make -C native test\` tries it"
else
test-neon:
	@./neon.sh $(NEON_SYSROOT); status=$$?; if test $$status = 0; then \
	    $(MAKE) --no-print-directory $(NEON_JOBS) run-neon; else test $$status = 77; fi
endif

run-neon: $(NEON_TESTS:%=%.run)

$(NEON_TESTS:%=%.run): %.run: %
	@qemu-aarch64 -L $(NEON_SYSROOT) $< >$<.log; status=$$?; echo $<; cat $<.log; \
	test $$status = 0 && grep -qx 'tried: NEON' $<.log

$(NEON_ENGINE): $(NEON_BUILD)/%.o: %.cc
	@mkdir -p $(@D)
	$(NEON_CXX) -c $< -o $@

$(NEON_TESTS): $(NEON_BUILD)/tests/%: ../tests/native/%.cc $(NEON_ENGINE)
	@mkdir -p $(@D)
	$(NEON_CXX) -fuse-ld=lld $< $(NEON_ENGINE) -lhwy -o $@

-include $(NEON_ENGINE:.o=.d) $(NEON_TESTS:=.d)
