# check-apple: compiles everything as on a Mac and links it, for both architectures, against the stubs of an unpacked
# macOS SDK ($APPLE_SDK). It needs no Mac; nothing is run. Highway's own library is not among the stubs: its symbols,
# and no others, stay undefined.

LD64 ?= ld64.lld-19
NM ?= llvm-nm
HWY_INCLUDE ?= $(or $(HWY_PREFIX),/usr)/include
APPLE_ARCHS = arm64 x86_64
APPLE_BUILD = $(abspath $(BUILD)/../apple)
# MPS's umbrella re-exports its parts; lld does not find them behind it.
APPLE_MPS = $(APPLE_SDK)/System/Library/Frameworks/MetalPerformanceShaders.framework/Versions/A/Frameworks
APPLE_LIBS = $(patsubst %,-framework %,Foundation CoreFoundation CoreGraphics Metal MetalPerformanceShaders) \
             -F$(APPLE_MPS) $(patsubst %,-framework %,MPSCore MPSMatrix MPSNeuralNetwork) -lobjc -lc++ -lSystem

apple_flags = -target $(1)-apple-macos12 -isysroot $(APPLE_SDK) -O2 -Wall -Wextra -Werror -fvisibility=hidden -MMD -MP
apple_objc_flags = $(call apple_flags,$(1)) -fobjc-exceptions -fno-objc-arc -fblocks
apple_objects = $(SHIM:shim/%.m=$(APPLE_BUILD)/$(1)/shim-metal/%.o) $(call apple_portable_objects,$(1)) \
                $(ENGINE:%.cc=$(APPLE_BUILD)/$(1)/%.o) $(APPLE_BUILD)/$(1)/backends.o
apple_portable_objects = $(SHIM:shim/%.m=$(APPLE_BUILD)/$(1)/shim-portable/%.o) \
                         $(PORTABLE:%.m=$(APPLE_BUILD)/$(1)/%.o)

ifeq ($(APPLE_SDK),)
check-apple:
	@echo "check-apple: skipped; set APPLE_SDK to the root of an unpacked macOS SDK"
else
check-apple: $(APPLE_ARCHS:%=check-apple-%)
endif
.PHONY: $(APPLE_ARCHS:%=check-apple-%)

# Alone in its directory: beside it lie headers that are not for a Mac.
$(APPLE_BUILD)/include/hwy:
	@mkdir -p $(@D)
	ln -sfn $(HWY_INCLUDE)/hwy $@

define apple_rules
$(APPLE_BUILD)/$(1)/shim-metal/%.o: shim/%.m
	@mkdir -p $$(@D)
	$$(CC) $$(call apple_objc_flags,$(1)) $$(FLAGS_metal) -Iinclude -c $$< -o $$@

$(APPLE_BUILD)/$(1)/shim-portable/%.o: shim/%.m
	@mkdir -p $$(@D)
	$$(CC) $$(call apple_objc_flags,$(1)) $$(FLAGS_portable) -Iinclude -c $$< -o $$@

$(APPLE_BUILD)/$(1)/portable/%.o: portable/%.m
	@mkdir -p $$(@D)
	$$(CC) $$(call apple_objc_flags,$(1)) $$(PORTABLE_INCLUDE) -c $$< -o $$@

$(APPLE_BUILD)/$(1)/engine/%.o: engine/%.cc | $(APPLE_BUILD)/include/hwy
	@mkdir -p $$(@D)
	$$(CXX) -std=c++17 -stdlib=libc++ $$(call apple_flags,$(1)) -isystem $(APPLE_BUILD)/include -I. -c $$< -o $$@

$(APPLE_BUILD)/$(1)/backends.o: shim/backends.c
	@mkdir -p $$(@D)
	$$(CC) -std=c11 $$(call apple_flags,$(1)) -DPYMPS_HAS_METAL -Iinclude -c $$< -o $$@

# A class or function that both sides define is an error of the linker's; the greps find what it can't see: portable
# code that would bind to Apple's names, and symbols that leave the library beside the C interface.
check-apple-$(1): $(call apple_objects,$(1))
	@! $(NM) $(call apple_portable_objects,$(1)) | grep -E ' [^ ] _(OBJC_(META)?CLASS_[$$$$]_)?(MPS|MTL)'
	@hwy=$$$$($(NM) -u -j $(ENGINE:%.cc=$(APPLE_BUILD)/$(1)/%.o) | grep -E '^__ZNK?3hwy' | sort -u); \
	$(LD64) -arch $(1) -platform_version macos 12.0 12.0 -syslibroot $(APPLE_SDK) -dylib \
	    $$$$(for symbol in $$$$hwy; do printf ' -U %s' "$$$$symbol"; done) $(call apple_objects,$(1)) $(APPLE_LIBS) \
	    -o $(APPLE_BUILD)/$(1)/libpymps.dylib && \
	echo "check-apple: linked for $(1), without Highway's library ($$$$(echo $$$$hwy | wc -w) symbols)"
	@test "$$$$(echo $$$$($(NM) -j --extern-only --defined-only $(APPLE_BUILD)/$(1)/libpymps.dylib))" = \
	    "_pymps_abi_version _pymps_backends"

-include $$(patsubst %.o,%.d,$(call apple_objects,$(1)))
endef
$(foreach arch,$(APPLE_ARCHS),$(eval $(call apple_rules,$(arch))))
