# shellcheck shell=bash
# Where the test images are in the guest: one read-only disk, attached by the host.

IMAGES=/run/veneer-test/images

images_mount() {
	mkdir -p "$IMAGES"
	mountpoint -q "$IMAGES" || mount -t erofs -o ro /dev/vdd "$IMAGES"
}
