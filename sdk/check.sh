#!/usr/bin/env bash
# Everything that holds for the SDKs: what is generated is what the control plane's document makes, linters are content, wheels can be
# built and imported, tests pass.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [[ -z ${UTOPIA_SDK_URL:-} ]]; then exec "$here/controlplane.sh" "$here/check.sh"; fi
command -v go >/dev/null || { echo "sdk: there is no Go toolchain" >&2; exit 1; }
. "$here/tools.sh"
go_tools

fresh=$(mktemp -d)
trap 'rm -rf "$fresh"' EXIT
"$here/generate.sh" "$fresh"
for file in $(cd "$fresh" && find . -type f); do
  cmp -s "$fresh/$file" "$here/$file" || { echo "sdk/${file#./} is not what the contract makes: run make sdk"; drifted=1; }
done
[[ -z ${drifted:-} ]]

cd "$here/python"
ruff check --quiet . ../generate
ruff format --check --quiet . ../generate
mypy --no-error-summary src tests
(cd ../generate && mypy --strict --no-error-summary .)
python3 -m build --wheel --no-isolation --outdir "$fresh/wheel" . >"$fresh/build" 2>&1 || { cat "$fresh/build"; exit 1; }
# As its users have it: in an environment with nothing else, and typed.
python3 -m venv "$fresh/venv"
"$fresh/venv/bin/pip" install --quiet --disable-pip-version-check --constraint "$here/requirements.txt" "$fresh"/wheel/*.whl
cp tests/documented.py "$fresh"
(cd "$fresh" && venv/bin/python documented.py)
(cd "$fresh" && mypy --strict --no-error-summary --python-executable venv/bin/python documented.py)

cd "$here/go"
[[ -z $(gofmt -l .) ]] || { gofmt -l .; exit 1; }
go vet ./...
staticcheck ./...

"$here/test.sh"
