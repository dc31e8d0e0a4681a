#!/bin/sh
# Prints the path of the one Bun this project runs on: the version in package.json's "packageManager".
# Gets it through npm, once, where it is not here yet, and takes no other than that of bun.sha256. The only step that can't
# be TypeScript.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
version=$(sed -n 's/.*"packageManager": *"bun@\([0-9.]*\)".*/\1/p' "$root/package.json")
cached=${XDG_CACHE_HOME:-${HOME:-}/.cache}/coffee-orders/bun/$version/bun
link=/usr/local/bin/bun

say() { echo "$*" >&2; }
is_pinned() { [ "$("$1" --version 2>/dev/null || true)" = "$version" ]; }

on_path=$(command -v bun || true)
if [ -n "$on_path" ] && is_pinned "$on_path"; then
  echo "$on_path"
  exit
fi

if ! is_pinned "$cached"; then
  case "$(uname -s) $(uname -m)" in
    "Linux x86_64") package=@oven/bun-linux-x64 ;;
    "Linux aarch64") package=@oven/bun-linux-aarch64 ;;
    *) package= ;;
  esac
  if [ -z "$package" ] || ! command -v npm >/dev/null; then
    say "Needs Bun $version on the PATH: see https://bun.sh/docs/installation. (It comes by itself on Linux,"
    say "x86-64 or arm64, where npm is installed.)"
    exit 1
  fi
  mkdir -p "$(dirname "$cached")"
  fresh=$(mktemp -d "$(dirname "$cached")/fresh.XXXXXX")
  trap 'rm -rf "$fresh"' EXIT
  trap 'exit 1' HUP INT TERM
  say "Getting Bun $version, once ..."
  if ! (cd "$fresh" && timeout 600 npm install --prefix . --ignore-scripts --no-audit --no-fund \
    "$package@$version" </dev/null >log 2>&1); then
    tail -n 20 "$fresh/log" >&2
    say "npm could not get $package@$version."
    exit 1
  fi
  sum=$(sed -n "s|  $package@$version\$||p" "$root/infra/setup/bun.sha256")
  if ! echo "$sum  $fresh/node_modules/$package/bin/bun" | sha256sum --check --status; then
    say "$package@$version is not the one of infra/setup/bun.sha256: it is not used. (A new version needs its digests there.)"
    exit 1
  fi
  mv -f "$fresh/node_modules/$package/bin/bun" "$cached"
  if ! is_pinned "$cached"; then
    say "$package@$version does not run on this machine: put Bun $version on the PATH yourself."
    exit 1
  fi
  if [ "$(id -u)" != 0 ]; then
    say "To type 'bun run producer' yourself: export PATH=\"$(dirname "$cached"):\$PATH\""
  fi
fi

# Only where no other Bun would be hidden: none on the PATH, or the one there is our own link to an older version.
case $(readlink "$link" || true) in */coffee-orders/bun/*) on_path= ;; esac
if [ "$(id -u)" = 0 ] && [ -z "$on_path" ]; then ln -sf "$cached" "$link"; fi

echo "$cached"
