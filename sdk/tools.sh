# Sourced: puts the Python tools of this directory into PATH, at the versions of requirements.txt. They are installed into target/sdk-venv.
# Beside them `go_tools` puts staticcheck, which is made from its source.

target=${CARGO_TARGET_DIR:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/target}
venv=${UTOPIA_SDK_VENV:-$target/sdk-venv}
requirements=$(dirname "${BASH_SOURCE[0]}")/requirements.txt
# Programs of an environment that was moved do not start.
if ! cmp -s "$requirements" "$venv/installed.txt" || ! "$venv/bin/ruff" --version >/dev/null 2>&1; then
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$venv/installed.txt"
fi
PATH=$venv/bin:$PATH

go_tools() {
  local version=0.7.0
  export PATH=$target/sdk-go:$PATH
  if [[ $(staticcheck -version 2>/dev/null) != *"($version)"* ]]; then
    GOBIN=$target/sdk-go go install "honnef.co/go/tools/cmd/staticcheck@v$version"
  fi
}
