# The live room. `make demo` and `make test` install what is missing and do everything.

.PHONY: help demo build test interop fmt bench bench-relay clean

help:
	@echo 'make demo     put a live room on air on this machine and print its URL'
	@echo 'make build    build relay, publisher, player and the viewer page (release)'
	@echo 'make test     run every gate and test, browsers included'
	@echo 'make interop  run our programs with those that others wrote, and print which work together'
	@echo 'make fmt      format the code'
	@echo 'make bench    measure latency, startup and load, and print them'
	@echo 'make bench-relay  only the load, beside relays that others wrote'

demo:
	@tests/tools/demo.sh

build:
	@tests/tools/build.sh release

test:
	@tests/tools/test.sh

interop:
	@tests/tools/interop.sh

fmt:
	@cargo fmt --all

bench:
	@tests/tools/bench.sh

bench-relay:
	@tests/tools/bench.sh relay

clean:
	@cargo clean
	@rm -rf .cache player/web/dist player/web/node_modules tests/browser/node_modules
