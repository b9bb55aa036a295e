# Sourced by run and test: makes .venv once, and installs a lock file into it when it has changed.

find_python() {
    # Asked to run, not only found: version managers leave names that answer with an error.
    for name in "${PYTHON:-}" python3.13 python3.12 python3.11 python3.10 python3 python; do
        [ -n "$name" ] || continue
        if "$name" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
            >/dev/null 2>&1; then
            command -v "$name"
            return
        fi
    done
    echo "ShopSwift needs Python 3.10 to 3.13, and found none." >&2
    echo "Debian, Ubuntu: sudo apt install python3 python3-venv; macOS: brew install python@3.13" >&2
    exit 1
}

has_uv() {
    # Asked to run, as Python is.
    uv --version >/dev/null 2>&1
}

make_venv() {
    [ -x .venv/bin/python ] && return
    if has_uv; then
        uv venv --quiet --seed --python "$1" .venv
    elif ! "$1" -m venv .venv; then
        rm -rf .venv
        echo "Python's venv module is incomplete. Debian, Ubuntu: sudo apt install python3-venv" >&2
        exit 1
    fi
}

# install_lock PYTHON LOCK: install every package of a lock file into that Python's environment.
#
# A lock file is complete, so nothing is resolved (--no-deps). Without that, pip 23 looks up the newest
# release that satisfies an extra such as coverage[toml], and refuses it because it is not in the lock.
install_lock() {
    if has_uv; then
        uv pip install --quiet --python "$1" --no-deps --only-binary :all: --require-hashes -r "$2"
        uv pip check --quiet --python "$1"
    else
        "$1" -m pip install --quiet --disable-pip-version-check \
            --no-deps --only-binary :all: --require-hashes -r "$2"
        conflicts=$("$1" -m pip --disable-pip-version-check check) || { echo "$conflicts" >&2; exit 1; }
    fi
}

# install LOCK: bring .venv to what the lock file names; a second run with the same lock does nothing.
install() {
    stamp=".venv/$1.installed"
    cmp -s "$1" "$stamp" && return
    echo "Installing $1 …" >&2
    install_lock .venv/bin/python "$1"
    cp "$1" "$stamp"
}

prepare() {
    python=$(find_python) || exit 1
    make_venv "$python"
    install "$1"
}
