# What the scripts beside this share. Sourced, from the project's top folder.
say() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

# npm, or the one that setup.sh put beside the project.
npm_() {
  if [ -x .cache/npm/node_modules/.bin/npm ]; then "$PWD/.cache/npm/node_modules/.bin/npm" "$@"; else npm "$@"; fi
}

# Installs a Node project's locked packages where they changed since the last time.
npm_install() {
  local stamp="$1/node_modules/.installed"
  if [ ! -f "$stamp" ] || [ "$1/package-lock.json" -nt "$stamp" ]; then
    say "installing the packages of $1"
    npm_ ci --prefix "$1" --silent --no-audit --no-fund
    touch "$stamp"
  fi
}

# Builds the viewer page where its sources changed since the last time.
build_page() {
  npm_install player/web
  local newest
  newest=$(find player/web -path player/web/node_modules -prune -o -path player/web/dist -prune -o -type f -newer player/web/dist/index.html -print -quit 2>/dev/null || echo rebuild)
  if [ ! -f player/web/dist/index.html ] || [ -n "$newest" ]; then
    say "building the viewer page"
    npm_ run --prefix player/web --silent build
  fi
}
