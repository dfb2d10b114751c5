package configs

import (
	"encoding/hex"
	"fmt"
	"time"
)

// SignedPolicy is the file that headquarters publishes as its policy: what
// every gate decides by. A gate's own file can only be stricter.
type SignedPolicy struct {
	Version     int           `yaml:"version"`  // 1, of the file's form
	FMR         string        `yaml:"fmr"`      // false match rate: 1e-3, 1e-4, 1e-5 or 1e-6
	Liveness    string        `yaml:"liveness"` // enforce; observe is for simulated lanes
	PassTypes   []PassType    `yaml:"pass_types"`
	CacheMaxAge time.Duration `yaml:"cache_max_age"` // 1 s to 72 h
	KindMaxAge  KindMaxAge    `yaml:"kind_max_age"`  // the same for one kind of account, where it is shorter
	Passback    time.Duration `yaml:"passback"`      // 0 to 24 h
	// Models are the SHA-256 of the model manifests that gates may work with;
	// empty for whatever is installed.
	Models []string `yaml:"models"`
}

// PassType is a type of pass that is accepted, and what it needs.
type PassType struct {
	Type       string        `yaml:"type"`        // border_pass or port_permit
	Level      int           `yaml:"level"`       // lowest account level that opens by itself, 1 or 2
	StampEvery time.Duration `yaml:"stamp_every"` // how long a verification stamp lasts; 0: none is needed
	StampSoon  time.Duration `yaml:"stamp_soon"`  // how long before its end the traveller is told
}

// DefaultPolicy returns what a policy's file need not say: the rules of the
// border. Accepted types of pass have no default.
func DefaultPolicy() SignedPolicy {
	return SignedPolicy{FMR: "1e-4", Liveness: "enforce", CacheMaxAge: 72 * time.Hour, Passback: 10 * time.Minute}
}

// LoadPolicy reads a policy's file. Either the faults are empty and the policy
// is complete and within all bounds, or it is nil.
func LoadPolicy(path string) (*SignedPolicy, Faults) { return load(path, DefaultPolicy(), checkPolicy) }

func checkPolicy(c *SignedPolicy, d *document) {
	d.version(c.Version)
	d.oneOf("fmr", c.FMR, "1e-3", "1e-4", "1e-5", "1e-6")
	d.oneOf("liveness", c.Liveness, "enforce", "observe")
	between(d, "cache_max_age", c.CacheMaxAge, time.Second, 72*time.Hour)
	checkKindMaxAge("kind_max_age", c.KindMaxAge, d)
	between(d, "passback", c.Passback, 0, 24*time.Hour)
	if len(c.PassTypes) == 0 && !d.broken("pass_types") {
		d.fault("pass_types", "names no type of pass", "every traveller would be referred; a list of {type: border_pass, level: 2}")
	}
	seen := map[string]bool{}
	for i, t := range c.PassTypes {
		path := fmt.Sprintf("pass_types[%d]", i)
		d.oneOf(path+".type", t.Type, "border_pass", "port_permit")
		d.once(path+".type", t.Type, seen)
		oneOfNumbers(d, path+".level", t.Level, 1, 2)
		between(d, path+".stamp_every", t.StampEvery, 0, 366*24*time.Hour)
		between(d, path+".stamp_soon", t.StampSoon, 0, t.StampEvery)
	}
	if len(c.Models) > 8 && !d.broken("models") {
		d.fault("models", "names more than 8 manifests", "the one in use, and the next one while gates are given it")
	}
	for i, m := range c.Models {
		path := fmt.Sprintf("models[%d]", i)
		if sum, err := hex.DecodeString(m); d.filled(path, m) && (err != nil || len(sum) != 32) {
			d.fault(path, "is not a SHA-256", "64 hex digits, as sha256sum prints them")
		}
	}
}

// checkKindMaxAge holds the ages of the kinds of account.
func checkKindMaxAge(path string, k KindMaxAge, d *document) {
	for kind, age := range map[string]time.Duration{"citizen": k.Citizen, "foreigner": k.Foreigner, "organisation": k.Organisation} {
		if age != 0 {
			between(d, path+"."+kind, age, time.Second, 72*time.Hour)
		}
	}
}

// ReadManifest gives the bytes of a model manifest, whose SHA-256 is what a
// policy names it by.
func ReadManifest(path string) ([]byte, error) {
	b, err := readBounded(path)
	if err != nil {
		return nil, fmt.Errorf("read model manifest: %w", err)
	}
	return b, nil
}
