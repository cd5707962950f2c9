# What it shows: an app whose file, or whose image, is deleted while it runs goes on, stops cleanly, and leaves nothing.
# Once: bookworm
# Timeout: 400

. "$TEST_DIR/live.sh"
snapshot
run
rm "$APPS/gone.toml"
after "deleted"
run
rm "$STORE"/gone.*
after "image deleted"
