# A file system that a test can fill; teardown unmounts it.

# small_disk [MB]: FULL, a file system of 4 MB or as many.
small_disk() {
    FULL=$PWD/full
    mkdir "$FULL"
    if ! mount -t tmpfs -o "size=${1:-4}m" none "$FULL" 2>/dev/null; then
        FULL=
        skip "a file system of its own cannot be mounted here"
    fi
}
fill() { dd if=/dev/zero of="$FULL/ballast" bs=4k 2>/dev/null || true; }

unmount_small_disk() {
    [ -z "${FULL:-}" ] || umount "$FULL"
}
