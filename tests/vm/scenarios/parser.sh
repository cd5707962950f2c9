# What it shows: every value the unit writer takes comes back from this systemd, from programs and from mounts.
# In a guest it still trips over the device units that a container has not (tools/parser is the proof until then).
# Timeout: 600
# Tier: soak

program=$TEST_DIR/parser
[ -x "$program" ] || fail "the payload has no $program"
units=$(scale 250)
"$program" --units "$units" --seed "${SEED:-1}"
note "$units units of wild text"
