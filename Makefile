# link: connection links for PostgreSQL
#
#   make                build (needs pg_config on PATH, or PG_CONFIG=/path/to/pg_config)
#   make install        install into that server (as a user who may)
#   make installcheck   regression and isolation tests against a running server
#   make tap            tests that start servers of their own (needs libipc-run-perl)
#   make help           the targets

EXTENSION  = link
MODULE_big = link
PGFILEDESC = "link - connection links"

GRAMMAR = src/statement/link_gram.c src/statement/link_scanner.c
SOURCES = $(filter-out $(GRAMMAR),$(sort $(wildcard src/*.c src/*/*.c src/*/*/*.c))) $(GRAMMAR)
OBJS    = $(SOURCES:.c=.o)
DATA    = $(sort $(wildcard sql/link--*.sql))

TESTS          = $(sort $(wildcard test/sql/*.sql))
REGRESS        = $(TESTS:test/sql/%.sql=%)
REGRESS_OPTS   = --inputdir=$(srcdir)/test --load-extension=link
ISOLATION      = $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS = --inputdir=$(srcdir)/test --outputdir=. --load-extension=link
PROVE_TESTS    = $(sort $(wildcard test/t/*.pl))

PKG_CONFIG ?= pkg-config
PACKAGES    = json-c libcurl libcrypto libxml-2.0 krb5-gssapi rdkafka zlib libzstd liblz4
LINK_VERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" link.control)
PG_CPPFLAGS = -I$(srcdir)/src -I$(libpq_srcdir) -DLINK_VERSION='"$(LINK_VERSION)"' $(shell $(PKG_CONFIG) --cflags $(PACKAGES))
# Calls within the library are direct, as 16 and later have it by hidden symbols: 4 % of an export.
SHLIB_LINK_INTERNAL = $(libpq)
SHLIB_LINK  = -Wl,-Bsymbolic-functions $(shell $(PKG_CONFIG) --libs $(PACKAGES))
PG_CFLAGS   = -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers \
              -Wno-declaration-after-statement -Wdeclaration-after-statement $(if $(WERROR),-Werror)
EXTRA_CLEAN = $(GRAMMAR) src/statement/link_gram.h src/statement/link_gram.all $(OBJS:.o=.d) tmp_check

# JIT bitcode needs the very clang that the server was built with; nothing here is inlined into queries.
override with_llvm = no

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

PROVE_FLAGS += -I $(srcdir)/test/perl

# PGXS tracks headers only when the server was built with --enable-depend.
override CPPFLAGS += -MMD -MP
-include $(OBJS:.o=.d)

# The rules of all statements behind those of link_gram.y; errors are told by the file that has them.
src/statement/link_gram.all: src/statement/link_gram.y $(sort $(wildcard src/statement/grammar/*.y))
	awk 'FNR == 1 { printf "#line 1 \"%s\"\n", FILENAME } /^%%$$/ && ++marks == 2 { nextfile } { print }' $^ >$@
	awk '/^%%$$/ && ++marks == 2 { printf "#line %d \"%s\"\n", FNR, FILENAME } marks == 2 { print }' $< >>$@
src/statement/link_gram.c: src/statement/link_gram.all
	$(BISON) $(BISONFLAGS) -d -Werror -o $@ $<
src/statement/link_gram.h: src/statement/link_gram.c
	touch $@
$(OBJS): | src/statement/link_gram.h

.PHONY: help tap
tap:
	$(prove_installcheck)

help:
	@sed -n 's/^#   //p' $(firstword $(MAKEFILE_LIST))
