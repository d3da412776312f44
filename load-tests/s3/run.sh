#!/usr/bin/env bash
# Sends large objects through the S3 interface with boto3, and watches the server's memory; see README.md. All options are those of run.py.
set -euo pipefail
python=${UTOPIA_TEST_S3_PYTHON:-${UTOPIA_TEST_TOOLS:-$(dirname "$0")/../../target/test-tools}/s3/bin/python}
exec "$python" -B "$(dirname "$0")/run.py" "$@"
