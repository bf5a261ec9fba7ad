# NGINX=system (Debian's packages nginx and nginx-dev) or NGINX=vendored (built by the nginx-src
# crate) chooses the nginx; so do NGINX_SOURCE_DIR, NGINX_BUILD_DIR and NGINX_BINARY.

.DEFAULT_GOAL := help
export NGINX NGINX_SOURCE_DIR NGINX_BUILD_DIR NGINX_BINARY PORT ADVISORIES DESTDIR MODULES_DIR

.PHONY: build install run test test-long fuzz sanitize lint check env clean help

build: ## build the module (release) and print its path
	@scripts/build

install: ## put the built module where nginx has its modules, or into MODULES_DIR=; below DESTDIR=
	@scripts/install

run: ## build, and run nginx with nginx-conf/quickstart.conf on port 8080, or PORT=
	@scripts/run

test: ## formatting, clippy, unit tests, acceptance tests on the system's nginx and the vendored one
	@scripts/test

test-long: ## as test, and the tests that take long, sanitize, and the README in fresh Debian roots
	@scripts/test --long

fuzz: ## fuzz the wire formats, each for SECONDS=60; or one of them, TARGET=template
	@scripts/fuzz --seconds $(or $(SECONDS),60) $(TARGET)

sanitize: ## the module under AddressSanitizer with all tests; or one part, PART=unit|fuzz|acceptance
	@scripts/sanitize $(PART)

lint: ## formatting and clippy only
	@scripts/lint

check: ## lint, and licences, sources and known vulnerabilities of the dependencies; ADVISORIES=skip
	@scripts/check

env: ## print the environment for single tests: eval "$(make -s env)"
	@scripts/env

clean: ## remove everything that was built
	@rm -rf target

help: ## this list
	@sed -n 's/^\([a-z-]*\): ## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  make %-10s %s\n' "$$name" "$$text"; done
	@echo '  NGINX=system|vendored chooses one nginx; or NGINX_SOURCE_DIR, NGINX_BUILD_DIR and NGINX_BINARY'
