package configs

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestReloadTakesWhatIsSafeAndNamesTheRest(t *testing.T) {
	base := DefaultGate()
	base.Policy.CacheMaxAge, base.Policy.PassTypes = 48*time.Hour, []string{"border_pass", "port_permit"}
	for name, c := range map[string]struct {
		change func(*Gate)
		taken  string // path, or empty
		why    string // of the refusal
	}{
		"a stricter age":       {func(g *Gate) { g.Policy.CacheMaxAge = 24 * time.Hour }, "policy.cache_max_age", ""},
		"a laxer age":          {func(g *Gate) { g.Policy.CacheMaxAge = 72 * time.Hour }, "", "only becomes stricter"},
		"a limit for a kind":   {func(g *Gate) { g.Policy.KindMaxAge.Foreigner = time.Hour }, "policy.kind_max_age.foreigner", ""},
		"fewer types":          {func(g *Gate) { g.Policy.PassTypes = []string{"border_pass"} }, "policy.pass_types", ""},
		"all types again":      {func(g *Gate) { g.Policy.PassTypes = nil }, "", "only becomes stricter"},
		"a stricter match":     {func(g *Gate) { g.Models.FMR = 1e-5 }, "models.fmr", ""},
		"a laxer match":        {func(g *Gate) { g.Models.FMR = 1e-3 }, "", "only becomes stricter"},
		"no pictures":          {func(g *Gate) { g.Evidence.Images = "off" }, "evidence.images", ""},
		"a longer pulse":       {func(g *Gate) { g.Turnstile.Pulse = time.Second }, "", "restart needed"},
		"another contact":      {func(g *Gate) { g.Turnstile.Inputs.Ready = NotWired }, "", "restart needed"},
		"another headquarters": {func(g *Gate) { g.HQ.Fingerprint = "x" }, "", "restart needed"},
	} {
		t.Run(name, func(t *testing.T) {
			file := base
			c.change(&file)
			next, taken, refused := Reload(&base, &file)
			switch {
			case c.taken != "":
				if len(taken) != 1 || taken[0].Path != c.taken || len(refused) != 0 || !reflect.DeepEqual(*next, file) {
					t.Errorf("taken %v, refused %v", taken, refused)
				}
			case len(taken) != 0 || len(refused) != 1 || !strings.Contains(refused[0].Why, c.why) || !reflect.DeepEqual(*next, base):
				t.Errorf("taken %v, refused %v, want %q", taken, refused, c.why)
			}
		})
	}
}

// TestReloadsNamesRealKeys: a key that was renamed would silently need a
// restart from then on.
func TestReloadsNamesRealKeys(t *testing.T) {
	keys, err := GateKeys()
	if err != nil {
		t.Fatal(err)
	}
	for path := range reloads() {
		if _, hint, ok := FindKey(keys, path); !ok {
			t.Errorf("%s is no key: %s", path, hint)
		}
	}
}
