package vault

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Errors of Open.
var (
	// ErrMaster says that the folder's keys were wrapped under another master
	// key.
	ErrMaster = errors.New("master key does not fit this vault")
	// ErrPermissions says that others than the owner can read secrets.
	ErrPermissions = errors.New("permissions are too wide")
)

// cacheSize bounds the unwrapped keys in memory: two days of every class, and
// room for an export.
const cacheSize = 32

const (
	checkName = "vault.check"
	checkText = "bordergate vault check 1"
)

type slot struct {
	class Class
	day   uint32
}

// Vault holds the day keys of one folder. Use Open.
type Vault struct {
	dir    string
	master [KeySize]byte
	wrap   cipher.AEAD
	now    func() time.Time

	// life lets sealing and opening run together but not beside Destroy.
	life sync.RWMutex

	mu    sync.Mutex
	cache map[slot]*cached
	tick  uint64
}

type cached struct {
	key  *DayKey
	used uint64
}

// Open opens the folder of wrapped keys, making it (0700) where there is none.
// It finishes a destruction that a crash cut short.
func Open(dir string, master [KeySize]byte) (*Vault, error) {
	v := &Vault{dir: dir, master: master, now: time.Now, cache: map[slot]*cached{}}
	wrapKey := v.Key("vault wrap")
	aead, err := newGCM(wrapKey[:])
	if err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	v.wrap = aead
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	if err := private(dir); err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	if err := v.checkMaster(); err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	if err := v.finish(); err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	return v, nil
}

// checkMaster compares the master key with the one that the folder was made
// with.
func (v *Vault) checkMaster() error {
	key := v.Key("vault check")
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(checkText))
	want := mac.Sum(nil)
	path := filepath.Join(v.dir, checkName)
	got, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := CreateFile(path, want); err != nil {
			return fmt.Errorf("create %s: %w", checkName, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", checkName, err)
	}
	if !hmac.Equal(got, want) {
		return ErrMaster
	}
	return nil
}

// Key is Derive with the vault's master key.
func (v *Vault) Key(name string) [KeySize]byte { return Derive(v.master, name) }

// Derive gives a static key for one purpose, from a master key with
// HKDF-SHA256. The same name always gives the same key.
func Derive(master [KeySize]byte, name string) [KeySize]byte {
	b, err := hkdf.Key(sha256.New, master[:], nil, "bordergate vault key 1 "+name, KeySize)
	if err != nil { // only for lengths that HKDF cannot give
		panic("vault: derive key: " + err.Error())
	}
	return [KeySize]byte(b)
}

// Seal seals plain under the key of class and day, making the key where there
// is none. The aad is bound to the text but not part of it. A destroyed day
// gives ErrDestroyed.
func (v *Vault) Seal(class Class, day uint32, aad, plain []byte) ([]byte, error) {
	v.life.RLock()
	defer v.life.RUnlock()
	k, err := v.key(class, day, true)
	if err != nil {
		return nil, err
	}
	return k.seal(aad, plain), nil
}

// Open opens what Seal made with the same class, day and aad. It gives
// ErrDestroyed, ErrNoKey or ErrOpen.
func (v *Vault) Open(class Class, day uint32, aad, sealed []byte) ([]byte, error) {
	v.life.RLock()
	defer v.life.RUnlock()
	k, err := v.key(class, day, false)
	if err != nil {
		return nil, err
	}
	return k.Open(aad, sealed)
}

// key gives the day's key from memory or disk, or makes it.
func (v *Vault) key(class Class, day uint32, create bool) (*DayKey, error) {
	if class == 0 || class >= classEnd {
		return nil, fmt.Errorf("%w: %d", ErrClass, class)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.tick++
	s := slot{class, day}
	if c := v.cache[s]; c != nil {
		c.used = v.tick
		return c.key, nil
	}
	k, err := v.load(s)
	if errors.Is(err, ErrNoKey) && create {
		k, err = v.make(s)
	}
	if err != nil {
		return nil, err
	}
	v.remember(s, k)
	return k, nil
}

// make creates the day's key and its file; should the file have appeared
// meanwhile, that one counts.
func (v *Vault) make(s slot) (*DayKey, error) {
	raw := make([]byte, KeySize)
	rand.Read(raw)
	err := CreateFile(v.keyPath(s), v.wrapKey(s, raw))
	if errors.Is(err, fs.ErrExist) {
		return v.load(s)
	}
	if err != nil {
		return nil, fmt.Errorf("create day key: %w", err)
	}
	return newDayKey(s.class, s.day, raw)
}

func (v *Vault) remember(s slot, k *DayKey) {
	if len(v.cache) >= cacheSize {
		var oldest slot
		least := v.tick
		for s, c := range v.cache {
			if c.used < least {
				oldest, least = s, c.used
			}
		}
		delete(v.cache, oldest)
	}
	v.cache[s] = &cached{key: k, used: v.tick}
}
