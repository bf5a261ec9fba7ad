# NGINX=system (Debian's packages nginx and nginx-dev) or NGINX=vendored (built by the nginx-src
# crate) chooses the nginx; so do NGINX_SOURCE_DIR, NGINX_BUILD_DIR and NGINX_BINARY.

.DEFAULT_GOAL := help
export NGINX NGINX_SOURCE_DIR NGINX_BUILD_DIR NGINX_BINARY PORT ADVISORIES DESTDIR MODULES_DIR

.PHONY: build install run test test-long fuzz sanitize lint check dist deb packages-test test-matrix env clean help

build: ## build the module (release) and print its path
	@scripts/build

install: ## put the built module where nginx has its modules, or into MODULES_DIR=; below DESTDIR=
	@scripts/install

run: ## build, and run nginx with nginx-conf/quickstart.conf on port 8080, or PORT=
	@scripts/run

test: ## formatting, clippy, unit tests, acceptance tests on the system's nginx and the vendored one, package
	@scripts/test

test-long: ## as test, and what takes long: more tests, sanitize, README, packages and matrix in Debian roots
	@scripts/test --long

fuzz: ## fuzz the wire formats, each for SECONDS=60; or one of them, TARGET=template
	@scripts/fuzz --seconds $(or $(SECONDS),60) $(TARGET)

sanitize: ## the module under AddressSanitizer with all tests; or one part, PART=unit|fuzz|acceptance
	@scripts/sanitize $(PART)

lint: ## formatting and clippy only
	@scripts/lint

check: ## lint, and licences, sources and known vulnerabilities of the dependencies; ADVISORIES=skip
	@scripts/check

dist: ## make the source archive of what is committed, with the crates, and print its path
	@packaging/dist

deb: ## build the Debian packages in fresh roots of bookworm, trixie and forky; or of one, SUITE=, or SUITE=--arm64
	@packaging/deb $(SUITE)

packages-test: ## install, upgrade and remove the packages in fresh roots; or of one suite, SUITE=
	@packaging/test $(if $(SUITE),--suite $(SUITE))

test-matrix: ## build and test in roots of all three, on the vendored nginx and NGINX_SOURCE_DIR=; or one, ON=
	@packaging/matrix $(ON)

env: ## print the environment for single tests: eval "$(make -s env)"
	@scripts/env

clean: ## remove everything that was built
	@rm -rf target

help: ## this list
	@sed -n 's/^\([a-z-]*\): ## /\1|/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; do \
		printf '  make %-13s %s\n' "$$name" "$$text"; done
	@echo '  NGINX=system|vendored chooses one nginx; or NGINX_SOURCE_DIR, NGINX_BUILD_DIR and NGINX_BINARY'
