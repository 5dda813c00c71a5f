# Everything here needs only Python 3.11 to 3.13, make and the package index. `make help` lists the targets.
# Each target first brings its environment up to date (tools/environment), which is immediate if nothing has changed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory --no-builtin-rules
.DEFAULT_GOAL := help

# ROS=kilted: another distribution of ROS 2, in an environment of its own. Valid are those that requirements/ has.
distributions := $(patsubst requirements/ros-%.txt,%,$(wildcard requirements/ros-*.txt))
distribution := $(or $(if $(filter command,$(origin ROS)),$(ROS)),jazzy)
$(if $(wildcard requirements/ros-$(distribution).txt),,$(error ROS=$(distribution) does not come as wheels, only $(distributions) do; docs/distributions.md says how to install others))
VENV := .venv$(addprefix -,$(filter-out jazzy,$(distribution)))
BIN := $(VENV)/bin
BENCH := .venv-bench/bin

# The wheels in the environment are a complete ROS, which must not mix with another one that is sourced in this shell.
ifdef AMENT_PREFIX_PATH
unexport LD_LIBRARY_PATH
endif
unexport PYTHONPATH PYTHONHOME _ROS_WHEELS_BOOTSTRAP_COMPLETE
export AMENT_PREFIX_PATH := $(CURDIR)/$(VENV)
export RMW_IMPLEMENTATION := rmw_fastrtps_cpp
# Discovery is limited to this machine; `make control ROS_AUTOMATIC_DISCOVERY_RANGE=SUBNET` opens it to the network.
export ROS_AUTOMATIC_DISCOVERY_RANGE ?= LOCALHOST
# Policies of this size are slower on several threads, and the simulator needs the other cores.
export OMP_NUM_THREADS ?= 1

# Arguments count only on make's command line: in the environment a name like ENV may mean something else. An unknown name is
# an error, unless it has an underscore: then make passes it on as an environment variable.
arguments := ARGS DURATION ENV ENVS FILE NAMESPACE OUT POLICY PRESET PYTHON RATE RESUME ROBOT ROS SEED SEEDS STEPS TASK TRAIN VIEW
on_command_line := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
unknown := $(filter-out $(arguments) DISPLAY HOME PATH SHELL TMPDIR -%,$(on_command_line))
unknown := $(strip $(foreach name,$(unknown),$(if $(findstring _,$(name)),,$(name))))
$(if $(unknown),$(error there is no argument $(unknown); there are $(arguments), each for some targets (make help)))

given = $(if $(filter command,$(origin $1)),$($1))
quote = '$(subst ','\'',$1)'
launch_argument = $(if $(call given,$1),$(call quote,$2:=$(call given,$1)))
quoted = $(if $(call given,$1),$(call quote,$(call given,$1)))
option = $(if $(call given,$1),$2 $(call quote,$(call given,$1)))

# TRAIN=1 and TRAIN=0; the launch reports any other value as an error.
train = $(if $(filter-out 0,$(call given,TRAIN)),$(call quote,train:=$(patsubst 1,true,$(call given,TRAIN))))
# VIEW=1 and VIEW=0 likewise.
view = $(if $(filter-out 0,$(call given,VIEW)),$(call quote,view:=$(patsubst 1,true,$(call given,VIEW))))

.PHONY: help control train sweep test test-slow test-arm64 check format docs bench-inference bench-training bench-tasks bench-memory bench-node soak bench-trainer bench-learning bench-robustness results colcon wheel clean distclean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' Makefile
	@printf '\nEach target makes .venv if it is missing, with the first Python 3.11 to 3.13 found, or with PYTHON=/path/to/python3.12.\nROS=kilted: with ROS 2 Kilted instead of Jazzy, in .venv-kilted.\n'

control: ## Balance a pole, or with ROBOT walk, reach or drive: simulator and policy over ROS 2; TRAIN=1: train the policy during the run; VIEW=1: serve a page to look at it [DURATION=s] [ROBOT=quadruped | ENV=id] [POLICY=file] [NAMESPACE=ns] [SEED=n] [ARGS='name:=value ...']
	@tools/environment $(if $(train),train,control) $(distribution)
	@$(if $(view),tools/environment view $(distribution))
	@exec $(BIN)/python -m velora_ros.nodes.bringup control $(train) $(view) $(call launch_argument,DURATION,duration) \
	    $(call launch_argument,ENV,env) $(call launch_argument,ROBOT,robot) $(call launch_argument,POLICY,policy) $(call launch_argument,NAMESPACE,namespace) \
	    $(call launch_argument,SEED,seed) $(call launch_argument,STEPS,steps) $(call given,ARGS)

train: ## Train a policy [ENV=id | TASK=quadruped] [ENVS=n at once] [PRESET=tuned] [SEED=n] [STEPS=n] [OUT=file] [ARGS='--flag value ...']
	@tools/environment train $(distribution)
	@exec $(BIN)/velora_ros train $(if $(call given,TASK),--task $(call quoted,TASK),--env $(call quote,$(or $(call given,ENV),InvertedPendulum-v5))) $(call option,SEED,--seed) \
	    $(call option,PRESET,--preset) $(call option,STEPS,--steps) $(call option,ENVS,--num-envs) $(call option,OUT,--out) $(call given,ARGS)

sweep: ## Train many settings with many seeds on Ray Tune [FILE=config/sweep/x.yaml | RESUME=folder] [OUT=folder] [ARGS='--flag value ...']
	@tools/environment sweep $(distribution)
	@exec $(BIN)/velora_ros sweep $(call quoted,FILE) $(call option,RESUME,--resume) $(call option,OUT,--out) $(call given,ARGS)

test: ## Run the tests in several processes [ARGS='pytest arguments', e.g. 'test/cli -k resume', or '-n 0' for one process]
	@tools/environment test $(distribution)
	@exec env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n auto --dist loadgroup $(call given,ARGS)

test-slow: ## Run the slow tests: learning and soak tests [ARGS='pytest arguments']
	@tools/environment test $(distribution)
	@exec $(BIN)/python -m pytest -m slow $(call given,ARGS)

test-arm64: ## Run tests of the runtime and of the exported C code on an emulated 64-bit ARM processor [ARGS='pytest arguments']
	@tools/environment control $(distribution)
	@tools/arm64 $(call given,ARGS)

check: ## Check format, lint, types, layers and the changelog
	@tools/environment test $(distribution)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo
	@tools/changelog

format: ## Format the code and apply automatic fixes
	@tools/environment test $(distribution)
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format .

docs: ## Write the pages of docs/ that are generated from the code
	@tools/environment test $(distribution)
	@$(BIN)/python tools/generate_docs.py

bench-inference: ## Measure one step of a policy: ours, velora, ncps, ONNX Runtime, torch [ARGS='--quick']
	@tools/environment bench
	@exec $(BENCH)/python benchmarks/inference.py $(call given,ARGS)

bench-training: ## Measure training steps per second and time to solve, beside velora and stable-baselines3 [ARGS='--quick']
	@tools/environment bench
	@exec $(BENCH)/python benchmarks/training.py $(call given,ARGS)

bench-learning: ## Measure learning curves over seeds, resumable [TASK=inverted_pendulum] [SEEDS=100-109] [ARGS='--jobs 2']
	@tools/environment bench
	@exec $(BENCH)/python benchmarks/learning.py $(call quote,$(or $(call given,TASK),inverted_pendulum)) \
	    $(call option,SEEDS,--seeds) $(call given,ARGS)

bench-robustness: ## Measure the robustness of liquid policies and their controls, resumable [SEEDS=100-104] [ARGS='--jobs 2 --variants gru']
	@tools/environment bench
	@exec $(BENCH)/python benchmarks/robustness.py $(call option,SEEDS,--seeds) $(call given,ARGS)

results: ## Write docs/results.md from benchmarks/results/*.csv
	@tools/environment bench
	@$(BENCH)/python benchmarks/results_page.py

bench-tasks: ## Measure how fast tasks simulate and train, and with --learning how soon a robot follows its commands [ARGS='--learning']
	@tools/environment bench
	@exec $(BENCH)/python benchmarks/tasks.py $(call given,ARGS)

bench-memory: ## Measure how much memory training takes over time, compared with velora [ARGS='--quick']
	@tools/environment bench
	@exec $(BENCH)/python benchmarks/memory.py $(call given,ARGS)

bench-node: ## Measure the time from state to command over ROS 2, beside a bare echo [ARGS='--quick']
	@tools/environment control $(distribution)
	@exec $(BIN)/python benchmarks/node.py $(call given,ARGS)

soak: ## Run policy_node for minutes beside a bare echo: lost commands, memory, faults [DURATION=600] [RATE=500]
	@tools/environment control $(distribution)
	@exec $(BIN)/python benchmarks/soak.py $(call option,DURATION,--seconds) $(call option,RATE,--rate)

bench-trainer: ## Measure training from trainer_node beside the command line, and its effect on a robot [ARGS='--quick']
	@tools/environment train $(distribution)
	@exec $(BIN)/python benchmarks/trainer.py $(call given,ARGS)

colcon: ## Build, test and start the package with colcon in a temporary workspace [ARGS='pytest arguments']
	@tools/environment test $(distribution)
	@tools/colcon $(call given,ARGS)

wheel: ## Build the wheel, check it, and use it in an environment of its own
	@tools/environment train $(distribution)
	@tools/environment wheel
	@tools/wheel

clean: ## Remove caches and build products
	@rm -rf build install log dist ./*.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

distclean: clean ## Remove the environments as well (.venv, .venv-*); trained policies in runs/ stay
	@rm -rf .venv .venv-*
