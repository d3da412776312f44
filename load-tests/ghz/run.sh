#!/usr/bin/env bash
# Calls every service of a control plane with ghz; see README.md. All options are those of run.py.
set -euo pipefail
exec python3 -B "$(dirname "$0")/run.py" "$@"
