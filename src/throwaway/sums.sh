# The files of a data directory, each with its length and a sum over its bytes.
sums() {
    (cd "$1" && find . -type f -exec cksum {} + | LC_ALL=C sort)
}

