# Pictures: each NAME.pic has its rendered NAME.svg beside it. Sourced by lab and test.sh.

picture_sources() {
  find 0[1-6]-* docs -name '*.pic' | LC_ALL=C sort
}

# The locale is fixed because some awks count bytes and others characters.
picture_render() {
  LC_ALL=C awk -f .scripts/picture.awk "$1"
}

# pictures_build [--check]: renders what is stale or missing; with --check prints it and returns 1.
pictures_build() {
  case ${1:-} in
    '' | --check) ;;
    *) die "pictures_build has no flag $1" ;;
  esac
  pictures_status=0
  pictures_new=$(mktemp)
  for picture in $(picture_sources); do
    picture_svg=${picture%.pic}.svg
    if ! picture_render "$picture" >"$pictures_new"; then
      pictures_status=1
    elif cmp -s "$pictures_new" "$picture_svg"; then
      :
    elif [ "${1:-}" = --check ]; then
      echo "$picture_svg: stale: ./lab format renders it"
      pictures_status=1
    else
      # Neither mv nor cp: they would hand on the temporary file's mode, which is its owner's only.
      cat "$pictures_new" >"$picture_svg"
    fi
  done
  rm -f "$pictures_new"
  return $pictures_status
}
