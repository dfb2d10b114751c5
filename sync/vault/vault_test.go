package vault

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"bordergate/sync/wire"
)

var testMaster = [KeySize]byte{1, 2, 3, 4}

func open(t *testing.T, dir string) *Vault {
	t.Helper()
	v, err := Open(dir, testMaster)
	if err != nil {
		t.Fatalf("open vault: %v", err)
	}
	return v
}

func seal(t *testing.T, v *Vault, class Class, day uint32, aad, plain string) []byte {
	t.Helper()
	b, err := v.Seal(class, day, []byte(aad), []byte(plain))
	if err != nil {
		t.Fatalf("seal: %v", err)
	}
	return b
}

func TestSealOpens(t *testing.T) {
	dir := t.TempDir() + "/keys"
	v := open(t, dir)
	sealed := seal(t, v, ClassCrossing, 7, "aad", "personal")
	if bytes.Contains(sealed, []byte("personal")) || len(sealed) != len("personal")+Overhead {
		t.Errorf("sealed text of %d bytes is not what it should be", len(sealed))
	}
	// A second vault on the same folder, as after a restart.
	for name, w := range map[string]*Vault{"same": v, "reopened": open(t, dir)} {
		got, err := w.Open(ClassCrossing, 7, []byte("aad"), sealed)
		if err != nil || string(got) != "personal" {
			t.Errorf("%s vault: %q, %v", name, got, err)
		}
	}
	if again := seal(t, v, ClassCrossing, 7, "aad", "personal"); bytes.Equal(again, sealed) {
		t.Error("the same text sealed twice is the same")
	}
}

func TestOpenRefuses(t *testing.T) {
	v := open(t, t.TempDir()+"/keys")
	sealed := seal(t, v, ClassCrossing, 7, "aad", "personal")
	seal(t, v, ClassCrossing, 8, "aad", "other day")
	seal(t, v, ClassImage, 7, "aad", "other class")
	flipped := bytes.Clone(sealed)
	flipped[len(flipped)-1] ^= 1
	cases := map[string]struct {
		class  Class
		day    uint32
		aad    string
		sealed []byte
		want   error
	}{
		"other aad":     {ClassCrossing, 7, "bad", sealed, ErrOpen},
		"other day":     {ClassCrossing, 8, "aad", sealed, ErrOpen},
		"other class":   {ClassImage, 7, "aad", sealed, ErrOpen},
		"flipped bit":   {ClassCrossing, 7, "aad", flipped, ErrOpen},
		"cut":           {ClassCrossing, 7, "aad", sealed[:Overhead-1], ErrOpen},
		"empty":         {ClassCrossing, 7, "aad", nil, ErrOpen},
		"no key":        {ClassCrossing, 9, "aad", sealed, ErrNoKey},
		"class 0":       {0, 7, "aad", sealed, ErrClass},
		"unknown class": {classEnd, 7, "aad", sealed, ErrClass},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if _, err := v.Open(c.class, c.day, []byte(c.aad), c.sealed); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestDestroy(t *testing.T) {
	dir := t.TempDir() + "/keys"
	v := open(t, dir)
	v.now = func() time.Time { return time.Unix(1_790_000_000, 0) }
	sealed := seal(t, v, ClassImage, 7, "", "face")
	other := seal(t, v, ClassImage, 8, "", "other")
	file, err := os.ReadFile(v.keyPath(slot{ClassImage, 7}))
	if err != nil {
		t.Fatal(err)
	}
	proof, err := v.Destroy(ClassImage, 7)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(file)
	want := Proof{ClassImage, 7, time.Unix(1_790_000_000, 0).UTC(), hex.EncodeToString(sum[:])}
	if proof != want {
		t.Errorf("proof %+v, want %+v", proof, want)
	}
	v.now = time.Now
	for name, w := range map[string]*Vault{"same": v, "reopened": open(t, dir)} {
		if _, err := w.Open(ClassImage, 7, nil, sealed); !errors.Is(err, ErrDestroyed) {
			t.Errorf("%s vault: opening gives %v", name, err)
		}
		if _, err := w.Seal(ClassImage, 7, nil, nil); !errors.Is(err, ErrDestroyed) {
			t.Errorf("%s vault: a destroyed day sealed again: %v", name, err)
		}
		if got, err := w.Destroy(ClassImage, 7); err != nil || got != want {
			t.Errorf("%s vault: destroying again gives %+v, %v", name, got, err)
		}
		if _, err := w.Open(ClassImage, 8, nil, other); err != nil {
			t.Errorf("%s vault: the next day does not open: %v", name, err)
		}
	}
	if _, err := v.Destroy(ClassImage, 9); !errors.Is(err, ErrNoKey) {
		t.Errorf("destroying a day without a key gives %v", err)
	}
	if days, err := v.Days(ClassImage); err != nil || len(days) != 1 || days[0] != 8 {
		t.Errorf("days with a key: %v, %v", days, err)
	}
}

// TestDestroyIsFinished stands for a crash between the tombstone and the end
// of the key file.
func TestDestroyIsFinished(t *testing.T) {
	dir := t.TempDir() + "/keys"
	v := open(t, dir)
	seal(t, v, ClassImage, 7, "", "face")
	if _, err := v.bury(slot{ClassImage, 7}); err != nil {
		t.Fatal(err)
	}
	leftover := filepath.Join(dir, ".new-123")
	if err := os.WriteFile(leftover, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	v = open(t, dir)
	for _, path := range []string{v.keyPath(slot{ClassImage, 7}), leftover} {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there", filepath.Base(path))
		}
	}
	if _, err := v.Seal(ClassImage, 7, nil, nil); !errors.Is(err, ErrDestroyed) {
		t.Errorf("sealing gives %v", err)
	}
}

func TestOpenChecksMasterAndPermissions(t *testing.T) {
	dir := t.TempDir() + "/keys"
	open(t, dir)
	if _, err := Open(dir, [KeySize]byte{9}); !errors.Is(err, ErrMaster) {
		t.Errorf("another master key gives %v", err)
	}
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, testMaster); !errors.Is(err, ErrPermissions) {
		t.Errorf("a folder open to the group gives %v", err)
	}
}

func TestDamagedKeyFile(t *testing.T) {
	dir := t.TempDir() + "/keys"
	v := open(t, dir)
	seal(t, v, ClassCrossing, 7, "", "x")
	path := v.keyPath(slot{ClassCrossing, 7})
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	other := slot{ClassCrossing, 8}
	for name, b := range map[string][]byte{
		"empty": {}, "cut": good[:keyLen-1], "of another day": v.wrapKey(other, make([]byte, KeySize)),
		"flipped": append(bytes.Clone(good[:keyLen-1]), good[keyLen-1]^1),
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			v := open(t, dir)
			if _, err := v.Seal(ClassCrossing, 7, nil, nil); !errors.Is(err, ErrOpen) {
				t.Errorf("got %v, want ErrOpen: a damaged key is not replaced", err)
			}
		})
	}
}

func TestCacheIsBounded(t *testing.T) {
	v := open(t, t.TempDir()+"/keys")
	for day := range uint32(cacheSize + 5) {
		seal(t, v, ClassCrossing, day, "", "x")
	}
	if len(v.cache) != cacheSize {
		t.Errorf("%d keys in memory, want %d", len(v.cache), cacheSize)
	}
	if v.cache[slot{ClassCrossing, cacheSize + 4}] == nil {
		t.Error("the newest key is not in memory")
	}
}

func TestWrapFor(t *testing.T) {
	v := open(t, t.TempDir()+"/keys")
	hq, err := wire.NewSealKey()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := wire.NewSealKey()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.WrapFor(ClassCrossing, 7, hq.PublicKey()); !errors.Is(err, ErrNoKey) {
		t.Errorf("wrapping a key that is not there gives %v", err)
	}
	sealed := seal(t, v, ClassCrossing, 7, "aad", "personal")
	wrapped, err := v.WrapFor(ClassCrossing, 7, hq.PublicKey())
	if err != nil {
		t.Fatal(err)
	}
	key, err := OpenWrapped(hq, ClassCrossing, 7, wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := key.Open([]byte("aad"), sealed); err != nil || string(got) != "personal" {
		t.Errorf("headquarters reads %q, %v", got, err)
	}
	if _, err := OpenWrapped(stranger, ClassCrossing, 7, wrapped); !errors.Is(err, wire.ErrSealed) {
		t.Errorf("a stranger gets %v", err)
	}
	if _, err := OpenWrapped(hq, ClassCrossing, 8, wrapped); !errors.Is(err, wire.ErrSealed) {
		t.Errorf("under another day: %v", err)
	}
}

func TestKeysDifferByName(t *testing.T) {
	v := open(t, t.TempDir()+"/keys")
	a, b := v.Key("accounts"), v.Key("other")
	if a == b || a == [KeySize]byte{} || a != v.Key("accounts") {
		t.Error("static keys are not one a name")
	}
}

func TestDay(t *testing.T) {
	for text, want := range map[string]uint32{
		"1970-01-01T00:00:00Z": 0, "1969-12-31T23:59:59Z": 0, "1970-01-02T00:00:00Z": 1,
		"2026-09-21T23:59:59Z": 20717, "2026-09-22T06:59:59+07:00": 20717,
	} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := Day(at); got != want {
			t.Errorf("%s is day %d, want %d", text, got, want)
		}
	}
}

// TestConcurrentUse is for the race detector, and shows that a day gets one
// key however many ask for it first.
func TestConcurrentUse(t *testing.T) {
	v := open(t, t.TempDir()+"/keys")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for day := range uint32(5) {
				sealed, err := v.Seal(ClassCrossing, day, nil, []byte{byte(i)})
				if err == nil {
					_, err = v.Open(ClassCrossing, day, nil, sealed)
				}
				if err != nil && !(day == 3 && errors.Is(err, ErrDestroyed)) {
					t.Errorf("day %d: %v", day, err)
				}
			}
			if _, err := v.Destroy(ClassCrossing, 3); err != nil {
				t.Errorf("destroy: %v", err)
			}
		})
	}
	wg.Wait()
}

func TestErrorsCarryNoSecrets(t *testing.T) {
	v := open(t, t.TempDir()+"/keys")
	sealed := seal(t, v, ClassCrossing, 7, "aad", "personal")
	_, err := v.Open(ClassCrossing, 7, []byte("Nguyen"), sealed)
	if err == nil || strings.Contains(err.Error(), "Nguyen") || strings.Contains(err.Error(), "personal") {
		t.Errorf("error text: %v", err)
	}
}

func FuzzParseKeyFile(f *testing.F) {
	f.Add([]byte(keyMagic))
	f.Add(append(slot{ClassCrossing, 7}.header(), make([]byte, KeySize+Overhead)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		sealed, err := parseKeyFile(slot{ClassCrossing, 7}, b)
		if err == nil && len(sealed) != KeySize+Overhead {
			t.Fatalf("accepted a sealed key of %d bytes", len(sealed))
		}
	})
}

func FuzzParseProof(f *testing.F) {
	f.Add([]byte(`{"class":1,"day":7,"at":"2026-09-21T00:00:00Z","file":"00"}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if p, err := parseProof(slot{ClassCrossing, 7}, b); err == nil && (p.Class != ClassCrossing || p.Day != 7) {
			t.Fatal("accepted another day's proof")
		}
	})
}
