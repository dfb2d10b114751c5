package app

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"

	"bordergate/configs"
	"bordergate/gate"
)

// digest is what a gate says of its settings, so that headquarters sees which
// gates differ. It gives nothing of them away.
type digest struct{ config, models string }

// digestOf hashes the settings that decide who is admitted, and not those of
// this gate's place, devices and folders, in which every gate differs; and the
// model manifest as it is on the disk.
func digestOf(c *configs.Gate) (d digest) {
	settings, err := json.Marshal([]any{
		c.Models.FMR, c.Models.Liveness, c.Policy, c.Evidence, c.Simulated,
		c.Trust.Pin, c.Trust.AllowP224, c.Trust.Lists, c.Trust.ListAge,
	})
	if err == nil {
		d.config = hash12(settings)
	}
	if b, err := os.ReadFile(c.Models.Manifest); err == nil {
		d.models = hash12(b)
	}
	return d
}

func hash12(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:12])
}

// clockWord names a clock's trust in a message.
func clockWord(t gate.ClockTrust) string {
	switch t {
	case gate.ClockSynced:
		return "synchronised"
	case gate.ClockHeldOver:
		return "held_over"
	case gate.ClockPlausible:
		return "plausible"
	}
	return "bad"
}
