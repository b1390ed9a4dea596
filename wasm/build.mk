# SPDX-License-Identifier: MIT
# Builds the browser's client with Emscripten: a library for agents in C, and the npm package.
# GNU make, run by the Makefile in the build tree with srcdir, VERSION and EMCC; what it makes:
#
#   wasm/libquicms-client.a         the library, to be linked with --js-library webtransport.js
#   wasm/libquicms-client-sync.a    the same with the blocking layer, for -s ASYNCIFY
#   wasm/package/                   the npm package, as npm pack wants it
#
# -flto takes 1 kB off the package; its objects are for the Emscripten that made them.
# NODE_PATH: where Debian keeps the JavaScript that Emscripten's optimizer uses.
export NODE_PATH := $(if $(NODE_PATH),$(NODE_PATH):)/usr/share/nodejs
out := wasm
package := $(out)/package

# What of src/ knows no socket, thread or file; wasm/ has the rest, or says that it is not there.
base := blob blobq clock dgramq error heap map mem prioq sched siphash
native := address dial gate listen listener listener_auth loop mailbox resolve thread ticket url
client := $(filter-out $(native),$(basename $(notdir $(wildcard $(srcdir)/src/client/*.c))))
blocking := sync sync_stream
sources := $(base:%=src/base/%.c) \
	$(patsubst $(srcdir)/%,%,$(wildcard $(srcdir)/src/proto/*.c)) \
	$(patsubst %,src/client/%.c,$(filter-out $(blocking),$(client))) \
	wasm/absent.c wasm/dial.c wasm/driver.c wasm/link.c wasm/mailbox.c wasm/options.c \
	wasm/send.c wasm/stream.c wasm/window.c
package_sources := wasm/package.c wasm/package_stream.c
sync_sources := $(blocking:%=src/client/%.c)

object = $(patsubst %.c,$(out)/obj/%.o,$(1))
cflags := -std=gnu11 -Oz -flto -g0 -Wall -Wextra -Wconversion -Werror -D_GNU_SOURCE= \
	-I$(srcdir)/include -I$(srcdir)/src -I$(srcdir)/wasm -Iinclude
libraries := $(srcdir)/wasm/webtransport.js $(srcdir)/wasm/package.js
scripts := $(notdir $(wildcard $(srcdir)/wasm/npm/*.js)) index.d.ts README.md
ldflags := -Oz -flto -g0 --no-entry -s MODULARIZE=1 -s EXPORT_ES6=1 -s ENVIRONMENT=web,worker \
	-s ALLOW_MEMORY_GROWTH=1 -s INITIAL_MEMORY=1MB -s TOTAL_STACK=128KB -s MALLOC=emmalloc \
	-s FILESYSTEM=0 -s TEXTDECODER=2 -s INCOMING_MODULE_JS_API=onEvent -s SUPPORT_ERRNO=0 \
	-s EXPORTED_RUNTIME_METHODS=UTF8ToString -s EXPORTED_FUNCTIONS=@$(srcdir)/wasm/exports \
	$(libraries:%=--js-library %)

all: $(out)/libquicms-client.a $(out)/libquicms-client-sync.a $(package)/package.json \
	$(package)/quicms-core.js $(scripts:%=$(package)/%) $(package)/LICENSE $(out)/size

$(out)/obj/%.o: $(srcdir)/%.c
	@mkdir -p $(@D)
	$(EMCC) $(cflags) -MMD -MF $(@:.o=.d) -c $< -o $@

$(out)/libquicms-client.a: $(call object,$(sources))
	rm -f $@ && $(EMAR) rcs $@ $^
$(out)/libquicms-client-sync.a: $(call object,$(sources) $(sync_sources))
	rm -f $@ && $(EMAR) rcs $@ $^

$(package)/quicms-core.js: $(call object,$(sources) $(package_sources)) $(libraries) \
		$(srcdir)/wasm/exports
	@mkdir -p $(@D)
	$(EMCC) $(ldflags) $(call object,$(sources) $(package_sources)) -o $(out)/quicms-core.mjs
	mv $(out)/quicms-core.wasm $(@D)/quicms-core.wasm
	mv $(out)/quicms-core.mjs $@

# Lines of comment stay in the source: the package has 60 kB.
$(package)/%.js: $(srcdir)/wasm/npm/%.js
	@mkdir -p $(@D)
	sed '2,$${/^ *\/\/\( \|$$\)/d;}' $< >$@
$(package)/%: $(srcdir)/wasm/npm/%
	@mkdir -p $(@D)
	cp $< $@
$(package)/package.json: $(srcdir)/wasm/npm/package.json
	@mkdir -p $(@D)
	sed 's/"version": ".*"/"version": "$(VERSION)"/' $< >$@
$(package)/LICENSE: $(srcdir)/LICENSE
	@mkdir -p $(@D)
	cp $< $@

$(out)/size: $(package)/quicms-core.js $(scripts:%=$(package)/%)
	@$(srcdir)/scripts/check-wasm-size $(package)
	@touch $@
.PHONY: all

-include $(patsubst %.o,%.d,$(call object,$(sources) $(package_sources) $(sync_sources)))
