package configs

import (
	"os"
	"strings"
	"testing"
	"time"
)

func parsePolicy(text string) (*SignedPolicy, Faults) {
	return parse("policy.yaml", []byte(text), DefaultPolicy(), checkPolicy)
}

func TestShippedPolicyIsTheRulesOfTheBorder(t *testing.T) {
	p, faults := LoadPolicy("policy.yaml")
	if err := faults.Err(); err != nil {
		t.Fatal(err)
	}
	if len(p.PassTypes) != 2 || p.PassTypes[0].StampEvery != 240*time.Hour || p.CacheMaxAge != 72*time.Hour || p.FMR != "1e-4" {
		t.Fatalf("%+v", p)
	}
}

func TestPolicyRules(t *testing.T) {
	text, err := os.ReadFile("policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct{ from, to, path, says string }{
		"rate":           {"fmr: 1e-4", "fmr: 1e-2", "fmr", "none of"},
		"liveness":       {"liveness: enforce", "liveness: off", "liveness", "none of"},
		"older cache":    {"cache_max_age: 72h", "cache_max_age: 73h", "cache_max_age", "out of range"},
		"older kind":     {"passback: 10m", "kind_max_age: {citizen: 99h}", "kind_max_age.citizen", "out of range"},
		"type":           {"type: port_permit", "type: passport", "pass_types[1].type", "none of"},
		"type twice":     {"type: port_permit", "type: border_pass", "pass_types[1].type", "second time"},
		"level":          {"level: 2}", "level: 3}", "pass_types[1].level", "not one of"},
		"stamp soon":     {"stamp_soon: 48h", "stamp_soon: 480h", "pass_types[0].stamp_soon", "out of range"},
		"passback":       {"passback: 10m", "passback: 25h", "passback", "out of range"},
		"manifest":       {"models: []", "models: [abc]", "models[0]", "SHA-256"},
		"unknown key":    {"passback: 10m", "passbak: 10m", "passbak", "not a key"},
		"no type at all": {"pass_types:", "pass_types: []\nother:", "pass_types", "no type"},
	} {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(string(text), tc.from) {
				t.Fatalf("%q is not in the shipped file", tc.from)
			}
			_, faults := parsePolicy(strings.Replace(string(text), tc.from, tc.to, 1))
			for _, f := range faults {
				if f.Path == tc.path && strings.Contains(f.Message, tc.says) {
					return
				}
			}
			t.Fatalf("faults %v", faults)
		})
	}
}
