package app

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"bordergate/configs"
)

// TestDigest holds what headquarters takes for another configuration and what
// it does not.
func TestDigest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "models.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("one")
	make := func(change func(*configs.Gate)) digest {
		c := configs.DefaultGate()
		c.Models.Manifest = file
		change(&c)
		return digestOf(&c)
	}
	base := make(func(*configs.Gate) {})
	if base.config == "" || base.models == "" {
		t.Fatalf("digest %+v", base)
	}
	if got := make(func(c *configs.Gate) { c.Gate.ID, c.Turnstile.Port, c.Paths.State = "lane-9", "/dev/x", "/x" }); got != base {
		t.Error("another place is another configuration")
	}
	for name, change := range map[string]func(*configs.Gate){
		"fmr":       func(c *configs.Gate) { c.Models.FMR /= 10 },
		"cache age": func(c *configs.Gate) { c.Policy.CacheMaxAge -= time.Second },
		"evidence":  func(c *configs.Gate) { c.Evidence.Images += "x" },
	} {
		if got := make(change); got.config == base.config || got.models != base.models {
			t.Errorf("%s: %+v", name, got)
		}
	}
	write("two")
	if got := make(func(*configs.Gate) {}); got.config != base.config || got.models == base.models {
		t.Errorf("other models: %+v", got)
	}
}
