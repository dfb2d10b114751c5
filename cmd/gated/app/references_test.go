package app

import (
	"bytes"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"bordergate/barcode/pass"
	"bordergate/barcode/seal"
	"bordergate/gate"
)

func templateKeys(t *testing.T, keys ...pass.TemplateKey) pass.TemplateKeys {
	t.Helper()
	var b []byte
	for _, k := range keys {
		b = append(b, k.PEM()...)
	}
	ks, err := pass.ParseTemplateKeys(b)
	if err != nil {
		t.Fatal(err)
	}
	return ks
}

func TestTemplateOfAPass(t *testing.T) {
	ref, err := testMatcher().model.Enrol(person(1))
	if err != nil {
		t.Fatal(err)
	}
	now, old, foreign := pass.NewTemplateKey(), pass.NewTemplateKey(), pass.NewTemplateKey()
	flat := make([]byte, testMatcher().model.Size()) // opens, and is no reference
	cases := []struct {
		name   string
		by     pass.TemplateKey
		plain  []byte
		keys   pass.TemplateKeys
		edit   func(*gate.Pass)
		says   string // of the log; empty where it opens
		opened bool
	}{
		{"newest key", now, ref.Bytes(), templateKeys(t, now, old), nil, "", true},
		{"key before", old, ref.Bytes(), templateKeys(t, now, old), nil, "", true},
		{"foreign key", foreign, ref.Bytes(), templateKeys(t, now, old), nil, "key that is not here", false},
		{"no keys", now, ref.Bytes(), pass.TemplateKeys{}, nil, "key that is not here", false},
		{"forged", now, ref.Bytes(), templateKeys(t, now), func(p *gate.Pass) { p.Template[40] ^= 1 }, "does not open", false},
		{"of another pass", now, ref.Bytes(), templateKeys(t, now), func(p *gate.Pass) { p.Number = "X2" }, "does not open", false},
		{"other model", now, ref.Bytes(), templateKeys(t, now), func(p *gate.Pass) { p.Model = "sface@0123" }, "another model", false},
		{"cut", now, ref.Bytes(), templateKeys(t, now), func(p *gate.Pass) { p.Template = p.Template[:20] }, "does not open", false},
		{"no reference", now, flat, templateKeys(t, now), nil, "not a reference", false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := sealPass(t, func(p *pass.Pass) {
				p.Model = "faceres@0123"
				if err := c.by.Seal(p, c.plain); err != nil {
					t.Fatal(err)
				}
			})
			var log bytes.Buffer
			r := references{keys: c.keys, model: "faceres@0123", log: slog.New(slog.NewJSONHandler(&log, nil))}
			for _, payload := range [][]byte{s.raw, s.idb} { // both forms carry it
				log.Reset()
				p := passes{trust: func() *seal.Trust { return s.trust }}.Read(payload, time.Now()).Pass
				if c.edit != nil {
					c.edit(&p)
				}
				got := r.Open(p)
				if c.opened != bytes.Equal(got, c.plain) || !c.opened && got != nil {
					t.Errorf("opened %d bytes, want it opened: %v", len(got), c.opened)
				}
				if !strings.Contains(log.String(), c.says) || (log.Len() == 0) != c.opened {
					t.Errorf("log %q does not say %q", log.String(), c.says)
				}
				for _, secret := range []string{"X1", "A1", hex.EncodeToString(c.plain[:8])} {
					if strings.Contains(log.String(), secret) {
						t.Errorf("log %q holds %s", log.String(), secret)
					}
				}
			}
		})
	}
	if r := (references{model: "m"}); !r.Fits("m") || r.Fits("n") || r.Fits("") {
		t.Error("a model fits that is not the gate's")
	}
}

func TestTemplateKeysOfTheStation(t *testing.T) {
	file := filepath.Join(t.TempDir(), "template.keys")
	if err := os.WriteFile(file, pass.NewTemplateKey().PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, file string
		mode       os.FileMode
		fault      string
		keys       int
	}{
		{"none named", "", 0o600, "", 0},
		{"named", file, 0o600, "", 1},
		{"missing", file + ".none", 0o600, "no such file", 0},
		{"exposed", file, 0o644, "chmod 600", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.Chmod(file, c.mode); err != nil {
				t.Fatal(err)
			}
			cfg := goodStation(t)
			cfg.Trust.TemplateKeys = c.file
			a := New(cfg, slog.New(slog.DiscardHandler))
			defer a.Close()
			if got := a.templates.Len(); got != c.keys {
				t.Errorf("%d keys, want %d", got, c.keys)
			}
			if err := a.defects["template_keys_unusable"]; (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) {
				t.Errorf("defect %v, want %q", err, c.fault)
			}
		})
	}
}
