package app

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/pem"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bordergate/barcode/seal"
	"bordergate/configs"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// goodStation lays out everything a gate needs but cameras, turnstile and
// models, whose absence is for the running gate to find.
func goodStation(t *testing.T) *configs.Gate {
	t.Helper()
	dir := t.TempDir()
	c := configs.DefaultGate()
	c.Gate = configs.Place{ID: "lane-1", Crossing: "HNG1", Lane: "1", Direction: "exit"}
	c.Simulated = true
	c.Paths = configs.Paths{State: dir + "/state", Identity: dir + "/identity", Control: dir + "/gated.sock"}
	c.Status.Listen = "127.0.0.1:0"
	c.Models.Dir, c.Models.Manifest = modelsFor(t, dir)
	c.Vision.Program = "/bin/false"
	c.Cameras.Document.Source, c.Cameras.Face.Source = "http://127.0.0.1:9/document", "http://127.0.0.1:9/face"
	c.Turnstile.Port = dir + "/no-barrier"
	c.Trust.Dir = dir + "/trust"
	c.HQ.Broker = "tcp://127.0.0.1:9"
	if _, err := vault.NewIdentity(c.Paths.Identity, "lane-1"); err != nil {
		t.Fatal(err)
	}
	c.HQ.Bundle = dir + "/hq.json"
	c.HQ.Fingerprint = testBundle(t, c.HQ.Bundle)
	testTrust(t, c.Trust.Dir)
	return &c
}

// modelsFor makes stand-ins for the networks and a manifest that fits them:
// the hashes are what is tested here, not the faces.
func modelsFor(t *testing.T, dir string) (models, manifest string) {
	t.Helper()
	m, err := configs.LoadModels("../../../configs/models.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../../../configs/models.yaml")
	if err != nil {
		t.Fatal(err)
	}
	out := string(text)
	models = filepath.Join(dir, "models")
	for _, use := range []string{configs.UseDetect, configs.UseLandmark, configs.UseFeature, configs.UseLiveness} {
		f, _ := m.ByUse(use)
		path := filepath.Join(models, filepath.FromSlash(f.File))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		content := []byte("stand-in for " + use)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		out = strings.ReplaceAll(out, f.SHA256, hexSum(content))
	}
	manifest = filepath.Join(dir, "models.yaml")
	if err := os.WriteFile(manifest, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	return models, manifest
}

func testBundle(t *testing.T, path string) (fingerprint string) {
	t.Helper()
	root := testKey(t, "root", wire.RoleRoot)
	b := wire.Bundle{Ver: 1, Root: root.Key.Public().(ed25519.PublicKey)}
	for _, role := range wire.OnlineRoles() {
		k := testKey(t, string(role), role)
		b.Keys = append(b.Keys, wire.BundleKey{Kid: k.Kid, Role: role, Pub: k.Key.Public().(ed25519.PublicKey)})
	}
	sealKey, err := wire.NewSealKey()
	if err != nil {
		t.Fatal(err)
	}
	b.Seal = sealKey.PublicKey().Bytes()
	text, err := wire.SignBundle(root, b)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return wire.Fingerprint(b.Root)
}

func testKey(t *testing.T, kid string, role wire.Role) wire.Signer {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return wire.Signer{Kid: kid, Role: role, Key: key}
}

func testTrust(t *testing.T, dir string) {
	t.Helper()
	a, err := seal.NewAuthority(seal.AuthorityOptions{
		Country: "UT", Signer: "GT", Serial: 1, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, der := range map[string][]byte{"ca.pem": a.CA.Raw, "signer.pem": a.Signer.Raw} {
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEachFaultIsNamedWithItsCureAndKeepsTheGateClosed(t *testing.T) {
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cases := []struct {
		name   string
		damage func(c *configs.Gate)
		part   string
		says   []string
	}{
		{"identity missing", func(c *configs.Gate) { c.Paths.Identity += "-none" }, "identity", []string{"gatectl identity init"}},
		{"identity of another gate", func(c *configs.Gate) { c.Gate.ID = "lane-2" }, "identity", []string{"gate.id", "lane-1"}},
		{"headquarters' keys missing", func(c *configs.Gate) { c.HQ.Bundle += ".none" }, "headquarters", []string{"hq.bundle", "hq.json"}},
		{"another root key", func(c *configs.Gate) { c.HQ.Fingerprint = strings.Repeat("ab", 32) }, "headquarters", []string{"hq.fingerprint"}},
		{"trust folder missing", func(c *configs.Gate) { c.Trust.Dir += "-none" }, "trust", []string{"trust"}},
		{"journal damaged", func(c *configs.Gate) {
			if err := os.MkdirAll(c.Paths.State, 0o700); err != nil {
				t.Fatal(err)
			}
			write(filepath.Join(c.Paths.State, "journal.db"), strings.Repeat("junk", 4096))
		}, "journal", []string{"journal"}},
		{"control socket cannot be made", func(c *configs.Gate) { c.Paths.Control = c.HQ.Bundle + "/gated.sock" }, "control_socket", []string{"control socket"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg := goodStation(t)
			c.damage(cfg)
			a := New(cfg, slog.New(slog.DiscardHandler))
			defer a.Close()
			if a.lane != nil {
				t.Fatal("a gate with a fault has a lane")
			}
			faults := a.Faults()
			if len(faults) != 1 || faults[0].Part != c.part {
				t.Fatalf("faults %+v, want one in %s", faults, c.part)
			}
			for _, s := range c.says {
				if !strings.Contains(faults[0].Error, s) {
					t.Errorf("%q does not say %q", faults[0].Error, s)
				}
			}
			if s := a.Status(); s.Lane.State != "closed" || s.Lane.Cause != c.part {
				t.Errorf("status %+v", s.Lane)
			}
		})
	}
}

func TestEachMissingDeviceLeavesALaneThatSaysWhy(t *testing.T) {
	model := func(c *configs.Gate) string {
		m, err := configs.LoadModels(c.Models.Manifest)
		if err != nil {
			t.Fatal(err)
		}
		f, _ := m.ByUse(configs.UseFeature)
		return filepath.Join(c.Models.Dir, filepath.FromSlash(f.File))
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	cases := []struct {
		name   string
		damage func(c *configs.Gate)
		row    string
		says   []string
	}{
		{"model missing", func(c *configs.Gate) { _ = os.Remove(model(c)) }, "models_unusable", []string{"feature", "make models"}},
		{"model tampered with", func(c *configs.Gate) { _ = os.WriteFile(model(c), []byte("another"), 0o600) }, "models_unusable", []string{"SHA-256", "make models"}},
		{"manifest missing", func(c *configs.Gate) { c.Models.Manifest += ".none" }, "models_unusable", []string{"models.manifest"}},
		{"worker program missing", func(c *configs.Gate) { c.Vision.Program = "no-such-gatevision" }, "document_camera_dead_no_scanner", []string{"vision.program", "make build"}},
		{"worker program missing, for faces", func(c *configs.Gate) { c.Vision.Program = "no-such-gatevision" }, "face_camera_dead", []string{"vision.program"}},
		{"status port taken", func(c *configs.Gate) { c.Status.Listen = taken.Addr().String() }, "status_page_port_taken", []string{"status.listen"}},
		{"template keys missing", func(c *configs.Gate) { c.Trust.TemplateKeys = c.Trust.Dir + "/none" }, "template_keys_unusable", nil},
		{"turnstile missing", func(*configs.Gate) {}, "turnstile_dead", nil},
		{"accounts not there yet", func(*configs.Gate) {}, "accounts_stale", nil},
		{"headquarters away", func(*configs.Gate) {}, "headquarters_away", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg := goodStation(t)
			c.damage(cfg)
			a := New(cfg, slog.New(slog.DiscardHandler))
			defer a.Close()
			if a.lane == nil || len(a.Faults()) != 0 {
				t.Fatalf("no lane: %+v", a.Faults())
			}
			code := func(d Degraded) string { return d.Device + "_" + d.Failure }
			rows := a.Status().Degraded
			i := slices.IndexFunc(rows, func(d Degraded) bool { return code(d) == c.row })
			if i < 0 {
				t.Fatalf("rows %+v, want %s", rows, c.row)
			}
			want, _ := rowOf(c.row)
			if rows[i].Service != want.Service || rows[i].Cure != want.Technician {
				t.Errorf("row %+v is not that of the table", rows[i])
			}
			for _, s := range c.says {
				if !strings.Contains(rows[i].Error, s) {
					t.Errorf("%q does not say %q", rows[i].Error, s)
				}
			}
		})
	}
}

func TestGateWithoutItsDevicesIsUpAndOutOfService(t *testing.T) {
	a := New(goodStation(t), slog.New(slog.DiscardHandler))
	defer a.Close()
	if f := a.Faults(); len(f) != 0 {
		t.Fatalf("faults %+v", f)
	}
	if a.lane == nil {
		t.Fatal("no lane")
	}
}

func hexSum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
