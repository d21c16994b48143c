# portable: the portable classes for programs of one's own, without the shim, and the pkg-config file to build with.
#
#   make -C native portable
#   export PKG_CONFIG_PATH=$PWD/build/native/release
#   clang program.m $(pkg-config --cflags --libs pymps-portable) -o program

PORTABLE_ARCHIVE = $(BUILD)/libpymps_portable.a
PORTABLE_PC = $(BUILD)/pymps-portable.pc
PORTABLE_OBJECTS := $(PORTABLE:%.m=$(BUILD)/%.o) $(ENGINE:%.cc=$(BUILD)/%.o)
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' ../pyproject.toml)

ifeq ($(HOST),Darwin)
KEEP_HIDDEN_SYMBOLS = -Wl,-keep_private_externs
CXX_LIBRARY = -lc++
else
CXX_LIBRARY = -lstdc++
endif

.PHONY: portable
portable: $(PORTABLE_ARCHIVE) $(PORTABLE_PC)

# One object: who links a class links all of them, with their categories.
$(BUILD)/portable.o: $(PORTABLE_OBJECTS)
	$(CXX) -r -nostdlib $(KEEP_HIDDEN_SYMBOLS) $^ -o $@

$(PORTABLE_ARCHIVE): $(BUILD)/portable.o
	rm -f $@
	$(AR) rcs $@ $^

$(PORTABLE_PC): portable.mk Makefile ../pyproject.toml
	@mkdir -p $(@D)
	@printf '%s\n' \
	    'Name: pymps-portable' \
	    'Description: The recurrent layers of Metal Performance Shaders, on the CPU' \
	    'Version: $(VERSION)' \
	    'Cflags: -I$(abspath portable/include) $(OBJC_FLAGS)' \
	    'Libs: $(filter -fsanitize%,$(FLAGS)) -L$(abspath $(BUILD)) -lpymps_portable $(LIBS) $(HWY_LIBS) $(CXX_LIBRARY)' \
	    > $@
