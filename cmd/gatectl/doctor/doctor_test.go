package doctor

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"bordergate/cmd/gatectl/devices"
	"bordergate/cmd/gatesim/board"
	"bordergate/cmd/gatesim/scanner"
	"bordergate/cmd/gatesim/tty"
	"bordergate/configs"
	"bordergate/hal/port"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

// patient is a gate that is well: simulated devices on real lines, keys,
// models, a journal and a broker's port.
type patient struct {
	*configs.Gate
	dir   string
	o     Options
	board *board.Board
	frame devices.Frame
	err   error // of the cameras
}

func newPatient(t *testing.T) *patient {
	t.Helper()
	c := configs.DefaultGate()
	p := &patient{Gate: &c, dir: t.TempDir(), frame: devices.Frame{Width: 1280, Height: 720, FPS: 25, Brightness: 120, Sharpness: 300}}
	c.Version, c.Simulated = 1, true
	c.Gate = configs.Place{ID: "lane-1", Crossing: "HNG1", Lane: "1", Direction: "exit"}
	c.Paths = configs.Paths{State: p.dir + "/state", Identity: p.dir + "/identity", Control: p.dir + "/sock"}
	c.Status.Listen = "127.0.0.1:0"
	c.Cameras.Document.Source, c.Cameras.Face.Source = "document", "face"
	p.plugIn(t)
	p.enrol(t)
	p.models(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c.HQ.Broker = "tcp://" + l.Addr().String()
	p.o = Options{
		Config: &c, Version: "v1",
		Trust:   func(context.Context) (string, error) { return "1 signer", nil },
		Program: func() (string, error) { return "gatevision", nil },
		Synced:  func() (bool, time.Duration) { return true, time.Millisecond },
		Disk:    func(string) (uint64, uint64, error) { return 40 << 30, 100 << 30, nil },
		Camera:  func(context.Context, string, configs.Camera) (devices.Frame, error) { return p.frame, p.err },
	}
	return p
}

// plugIn connects turnstile and scanner.
func (p *patient) plugIn(t *testing.T) {
	t.Helper()
	bo, so := board.DefaultOptions(), scanner.DefaultOptions()
	bo.Link, so.Link = p.dir+"/barrier", p.dir+"/scanner"
	b, err := board.New(bo)
	if err != nil {
		t.Skipf("this machine has no pty: %v", err)
	}
	s, err := scanner.New(so)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(b.Close(), s.Close()); err != nil {
			t.Error(err)
		}
	})
	p.board = b
	p.Turnstile.Port, p.Scanner.Port, p.Scanner.Dialect = bo.Link, so.Link, "honeywell"
}

// enrol makes keys, headquarters' bundle and a journal.
func (p *patient) enrol(t *testing.T) {
	t.Helper()
	id, err := vault.NewIdentity(p.Paths.Identity, "lane-1")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(p.Paths.State, 0o700); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(journal.Options{Path: p.Paths.State + "/journal.db", Gate: "lane-1", Signer: id.Signer})
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if _, err := j.Append(t.Context(), journal.Draft{Stream: wire.StreamCrossing, Kind: "decision", Public: strings.Repeat("x", 200)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(j.Checkpoint(t.Context()), j.Close()); err != nil {
		t.Fatal(err)
	}
	p.HQ.Bundle = p.dir + "/hq.json"
	p.HQ.Fingerprint = bundle(t, p.HQ.Bundle)
}

// models makes stand-ins with the hashes of a manifest.
func (p *patient) models(t *testing.T) {
	t.Helper()
	const shipped = "../../../configs/models.yaml"
	m, err := configs.LoadModels(shipped)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	out := string(text)
	p.Models.Dir, p.Models.Manifest = p.dir+"/models", p.dir+"/models.yaml"
	for _, f := range m.Models {
		path, content := f.Path(p.Models.Dir), []byte("stand-in for "+f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		put(t, path, content)
		sum := sha256.Sum256(content)
		out = strings.ReplaceAll(out, f.SHA256, hex.EncodeToString(sum[:]))
	}
	put(t, p.Models.Manifest, []byte(out))
}

// bundle writes headquarters' keys.
func bundle(t *testing.T, path string) (fingerprint string) {
	t.Helper()
	key := func(kid string, role wire.Role) wire.Signer {
		_, k, err := ed25519.GenerateKey(nil)
		must(t, err)
		return wire.Signer{Kid: kid, Role: role, Key: k}
	}
	root := key("root", wire.RoleRoot)
	b := wire.Bundle{Ver: 1, Root: root.Key.Public().(ed25519.PublicKey)}
	for _, role := range wire.OnlineRoles() {
		b.Keys = append(b.Keys, wire.BundleKey{Kid: string(role), Role: role, Pub: key(string(role), role).Key.Public().(ed25519.PublicKey)})
	}
	sealKey, err := wire.NewSealKey()
	must(t, err)
	b.Seal = sealKey.PublicKey().Bytes()
	text, err := wire.SignBundle(root, b)
	must(t, err)
	put(t, path, text)
	return wire.Fingerprint(b.Root)
}

func put(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// ailing are the checks that are not well.
func ailing(list []Check) (names []string) {
	for _, c := range list {
		if !c.OK {
			names = append(names, c.Check)
		}
	}
	return names
}

func TestAHealthyGateIsWell(t *testing.T) {
	p := newPatient(t)
	begun := time.Now()
	list := Run(t.Context(), p.o)
	if bad := ailing(list); len(bad) > 0 || len(list) < 18 {
		t.Fatalf("%d checks, ailing %v:\n%+v", len(list), bad, list)
	}
	t.Logf("%d checks in %v", len(list), time.Since(begun))
	if n := len(p.board.Grants()); n != 0 {
		t.Errorf("the barrier was opened %d times", n)
	}
}

// TestEachFaultIsNamedWithItsCure breaks one thing at a time. Everything else
// stays well, so that nobody looks in the wrong place.
func TestEachFaultIsNamedWithItsCure(t *testing.T) {
	for name, c := range map[string]struct {
		harm  func(t *testing.T, p *patient)
		check []string // that must be ailing; all others must be well
		says  string   // of the first, in detail or hint
	}{
		"turnstile unplugged": {func(t *testing.T, p *patient) { must(t, p.board.Unplug()) }, []string{"turnstile"}, "plug the adapter in"},
		"turnstile silent": {func(_ *testing.T, p *patient) {
			p.board.Inject(board.Fault{Kind: board.FaultDeaf, Count: -1})
		}, []string{"turnstile"}, "baud"},
		"another unit": {func(_ *testing.T, p *patient) { p.Turnstile.Unit = 9 }, []string{"turnstile"}, "unit"},
		"turnstile's line taken": {func(t *testing.T, p *patient) {
			l, err := port.Open(port.Options{Path: p.Turnstile.Port, Baud: 115200})
			must(t, err)
			t.Cleanup(func() { _ = l.Close() })
		}, []string{"turnstile"}, "stop the other program"},
		"no scanner":       {func(_ *testing.T, p *patient) { p.Scanner.Port = p.dir + "/none" }, []string{"scanner"}, "plug the adapter in"},
		"a silent scanner": {func(t *testing.T, p *patient) { p.Scanner.Port = silentLine(t) }, []string{"scanner"}, "dialect"},
		"camera gone":      {func(_ *testing.T, p *patient) { p.err = errors.New("open camera: no such device") }, []string{"document_camera", "face_camera"}, "check its plug"},
		"camera black":     {func(_ *testing.T, p *patient) { p.err = devices.ErrDark }, []string{"document_camera", "face_camera"}, "black"},
		"another model": {func(t *testing.T, p *patient) {
			m, err := configs.LoadModels(p.Models.Manifest)
			must(t, err)
			f, _ := m.ByUse(configs.UseFeature)
			put(t, f.Path(p.Models.Dir), []byte("somebody else's"))
		}, []string{"models"}, "gatectl models fetch"},
		"an expired certificate":       {func(t *testing.T, p *patient) { p.secure(t, -48*time.Hour) }, []string{"certificate"}, "gatectl identity renew"},
		"a certificate that ends soon": {func(t *testing.T, p *patient) { p.secure(t, 48*time.Hour) }, []string{"certificate"}, "gatectl identity renew"},
		"no certificate": {func(_ *testing.T, p *patient) {
			p.HQ.Broker = strings.Replace(p.HQ.Broker, "tcp", "ssl", 1)
			p.deafBroker()
		}, []string{"certificate"}, "gatectl identity install"},
		"broker refuses": {func(_ *testing.T, p *patient) { p.HQ.Broker = "tcp://127.0.0.1:9" }, []string{"broker"}, "firewall"},
		"clock behind": {func(_ *testing.T, p *patient) {
			p.o.Now = func() time.Time { return time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC) }
			raise(p)
		}, []string{"clock"}, "chronyc"},
		"clock alone": {func(_ *testing.T, p *patient) {
			p.Simulated = false
			p.o.Synced = func() (bool, time.Duration) { return false, 0 }
		}, []string{"clock"}, "time server"},
		"disk nearly full": {func(_ *testing.T, p *patient) {
			p.o.Disk = func(string) (uint64, uint64, error) { return 3 << 30, 100 << 30, nil }
		}, []string{"disk"}, "never anything below paths.state"},
		"keys for all to read": {func(t *testing.T, p *patient) { must(t, os.Chmod(p.Paths.Identity+"/sign.key", 0o644)) }, []string{"identity"}, "chmod -R go="},
		"another gate's keys":  {func(_ *testing.T, p *patient) { p.Gate.Gate.ID = "lane-2" }, []string{"identity"}, "gate.id"},
		"journal damaged": {func(t *testing.T, p *patient) {
			path := p.Paths.State + "/journal.db"
			b, err := os.ReadFile(path)
			must(t, err)
			put(t, path, bytes.ReplaceAll(b, []byte("xxxxxxxxxxxxxxxx"), []byte("yyyyyyyyyyyyyyyy")))
		}, []string{"journal"}, "gatectl journal verify"},
		"state for all to read": {func(t *testing.T, p *patient) { must(t, os.Chmod(p.Paths.State, 0o755)) }, []string{"state"}, "chmod 700"},
		"port taken":            {func(_ *testing.T, p *patient) { p.Status.Listen = strings.TrimPrefix(p.HQ.Broker, "tcp://") }, []string{"status_page"}, "status.listen"},
		"another headquarters":  {func(_ *testing.T, p *patient) { p.HQ.Fingerprint = strings.Repeat("ab", 32) }, []string{"headquarters_keys"}, "by eye"},
		"nobody's seals": {func(_ *testing.T, p *patient) {
			p.o.Trust = func(context.Context) (string, error) { return "", errors.New("no signer") }
		}, []string{"trust"}, "trust.dir"},
		"no gatevision": {func(_ *testing.T, p *patient) {
			p.o.Program = func() (string, error) { return "", errors.New("gatevision is not beside gatectl") }
		}, []string{"vision", "document_camera", "face_camera"}, "vision.program"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPatient(t)
			c.harm(t, p)
			list := Run(t.Context(), p.o)
			if got := ailing(list); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(c.check))) {
				t.Fatalf("ailing %v, want %v:\n%+v", got, c.check, list)
			}
			for _, x := range list {
				if x.Check == c.check[0] && (!strings.Contains(x.Detail+" "+x.Hint, c.says) || x.Hint == "") {
					t.Errorf("%+v does not say %q", x, c.says)
				}
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// silentLine is a serial line with nobody at its far end.
func silentLine(t *testing.T) string {
	t.Helper()
	l, err := tty.Open("")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Path()
}

// raise puts a signed time on record.
func raise(p *patient) {
	id, err := vault.LoadIdentity(p.Paths.Identity)
	if err != nil {
		panic(err)
	}
	j, err := journal.Open(journal.Options{Path: p.Paths.State + "/journal.db", Gate: "lane-1", Signer: id.Signer})
	if err != nil {
		panic(err)
	}
	if err := errors.Join(j.Advance("time_floor", uint64(time.Now().UnixNano())), j.Close()); err != nil {
		panic(err)
	}
}

// deafBroker leaves the handshake to another check.
func (p *patient) deafBroker() {
	p.o.Handshake = func(context.Context, net.Conn, string) (string, error) { return "TLS 1.3", nil }
}

// secure gives the gate a certificate that ends after a time.
func (p *patient) secure(t *testing.T, left time.Duration) {
	t.Helper()
	p.HQ.Broker = strings.Replace(p.HQ.Broker, "tcp", "ssl", 1)
	p.deafBroker()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lane-1"}, NotBefore: time.Now().Add(-96 * time.Hour), NotAfter: time.Now().Add(left),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	must(t, err)
	put(t, p.Paths.Identity+"/tls.crt", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
