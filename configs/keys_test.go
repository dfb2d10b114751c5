package configs

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write gate.schema.json anew")

// TestSchemaIsOfTheCode holds the committed schema to the structs and rules.
func TestSchemaIsOfTheCode(t *testing.T) {
	want, err := GateSchema()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("gate.schema.json", want, 0o644); err != nil { //nolint:gosec // a public file
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("gate.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("gate.schema.json is not what the code says: go test ./configs -run TestSchemaIsOfTheCode -update")
	}
}

// TestEveryKeyIsDescribed holds that whoever adds a key says what it is for
// and, of a number, between which limits it lies.
func TestEveryKeyIsDescribed(t *testing.T) {
	keys, err := GateKeys()
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) < 60 {
		t.Fatalf("%d keys: the walk is broken", len(keys))
	}
	for _, k := range keys {
		if k.Doc == "" && !strings.Contains(k.Path, "puts.") {
			t.Errorf("%s has no comment at its field, or its file is not in the embed of keys.go", k.Path)
		}
		switch k.Type {
		case "number", "whole number", "time":
			if k.Range() == "" {
				t.Errorf("%s has no limits: give it a rule, and specimens a gate for which the rule speaks", k.Path)
			}
		case "text":
			if k.Range() == "" && !k.Filled && k.Path != "cameras.document.calibration" && k.Path != "cameras.face.calibration" {
				t.Errorf("%s is held to nothing: give it a rule, and specimens a gate for which the rule speaks", k.Path)
			}
		}
	}
}

func TestKeysSayWhatTheRulesHold(t *testing.T) {
	keys, err := GateKeys()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"turnstile.pulse":        "100ms to 1s",
		"policy.cache_max_age":   "1s to 72h",
		"cameras.face.width":     "320 to 3840 pixels",
		"gate.direction":         "one of entry, exit",
		"policy.pass_types[0]":   "one of border_pass, port_permit",
		"scanner.framing":        "one of suffix, idle",
		"journal.max_mib":        "256 to 65536 MiB",
		"turnstile.inputs.mains": "0 to 31",
	} {
		if k, _, ok := FindKey(keys, path); !ok || k.Range() != want || k.Doc == "" && !strings.Contains(path, "inputs") {
			t.Errorf("%s: %q, want %q; %q", path, k.Range(), want, k.Doc)
		}
	}
	if _, hint, ok := FindKey(keys, "turnstile.puls"); ok || !strings.Contains(hint, "turnstile.pulse") {
		t.Errorf("hint %q", hint)
	}
}

func TestShowIsWhatAFileHas(t *testing.T) {
	for d, want := range map[time.Duration]string{72 * time.Hour: "72h", 90 * time.Minute: "1h30m", 300 * time.Millisecond: "300ms", 0: "0s", time.Minute: "1m", 10 * time.Second: "10s"} {
		if got := Show(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
		if back, err := time.ParseDuration(Show(d)); err != nil || back != d {
			t.Errorf("%s is read as %v, %v", Show(d), back, err)
		}
	}
}
