# What it shows: an app whose file is broken, masked or changed while it runs goes on, stops cleanly, and leaves nothing.
# Container: yes
# Timeout: 400

. "$TEST_DIR/live.sh"
snapshot
run
app gone <<<'this is no TOML'
after "broken"
run
: >"$APPS/gone.toml"
after "masked"
run
sed -i 's/mode = "volatile"/mode = "none"/' "$APPS/gone.toml"
after "another overlay"
